"""p8s image build"""

from __future__ import annotations

import argparse
import os
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pybernetes.cli.console import FAILED, Console, Failure
from pybernetes.cli.parser import wrong

if TYPE_CHECKING:
    from pybernetes.builder.errors import BuildError
    from pybernetes.builder.request import BuildRequest, BuiltImage
    from pybernetes.cli.build_progress import Progress
    from pybernetes.cri.door import Door

EXAMPLES = """examples:
  sudo p8s image build -t hostname .
  sudo p8s image build -t app -f deploy/Dockerfile --build-arg VERSION=2 --target runtime .
  sudo p8s image build --check .
  sudo p8s image build -t app --secret id=token,src=$HOME/.token --no-cache .
  tar c . | sudo p8s image build -t app -

pods use the image under its name at once, whatever their pull policy; nothing has to be pushed"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("context", metavar="CONTEXT|-", help="directory that COPY takes from; -: an archive of it, or a Dockerfile")
    add("-t", "--tag", action="append", default=[], metavar="NAME[:TAG]", help="name of the image; may be repeated")
    add("-f", "--file", metavar="FILE", help="the Dockerfile (default: CONTEXT/Dockerfile)")
    add("--build-arg", action="append", default=[], metavar="NAME[=VALUE]", help="value of an ARG")
    add("--target", default="", metavar="STAGE", help="stage to build (default: the last)")
    add("--label", action="append", default=[], metavar="NAME=VALUE", help="label of the image")
    add(
        "--secret",
        action="append",
        default=[],
        metavar="id=NAME[,src=FILE|,env=VAR]",
        help="for RUN --mount=type=secret",
    )
    add(
        "--ssh",
        action="append",
        default=[],
        metavar="default|ID[=SOCKET]",
        help="an SSH agent for RUN --mount=type=ssh (default: that of $SSH_AUTH_SOCK)",
    )
    add("--no-cache", action="store_true", help="run every step anew")
    add("--pull", action="store_true", help="ask the registry for base images that are here already")
    add("--platform", default="", help="this machine's only")
    add(
        "--network",
        choices=["default", "none"],
        default="default",
        help="of steps that name none (default: %(default)s)",
    )
    add("--add-host", action="append", default=[], metavar="NAME:ADDRESS", help="a line of /etc/hosts of the steps")
    add("--progress", choices=["auto", "plain", "tty"], default="auto", help="how to show it (default: %(default)s)")
    add("--check", action="store_true", help="read the Dockerfile, say what is unwise in it, and build nothing")
    add("-q", "--quiet", action="store_true", help="no progress, print the image's id only")
    add("-o", "--output", choices=["json"], help="print id and names as JSON")


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.builder.errors import BuildError
    from pybernetes.cli import images
    from pybernetes.cli.build_progress import choose
    from pybernetes.cri.door import familiar, short

    check_platform(arguments.platform)
    for tag in arguments.tag:
        images.named(tag)
    progress = choose("quiet" if arguments.quiet or arguments.output else arguments.progress, sys.stderr)
    with ExitStack() as stack:
        wanted = request(arguments, stack)

        async def use(door: Door) -> BuiltImage:
            return await watched(wanted, door, progress)

        try:
            image = images.ask(arguments, use)
        except BuildError as error:
            tell(error, progress)
            tell_warnings(progress)
            raise Failure([(str(error), next_step(error))]) from error
    tell_warnings(progress)
    if arguments.check:
        return checked(progress, console, as_json=arguments.output == "json")
    if arguments.output:
        console.json({"id": image.id, "names": list(image.names)})
    elif arguments.quiet:
        console.line(image.id)
    else:
        console.line(f"built {', '.join(map(familiar, image.names)) or 'an image without a name'} ({short(image.id)})")
    return 0


async def watched(wanted: BuildRequest, door: Door, progress: Progress) -> BuiltImage:
    """Build while the progress is shown."""
    from pybernetes.aio.tasks import open_scope
    from pybernetes.builder.build import build

    async with open_scope("progress") as scope:
        scope.spawn(progress.run(), "progress")
        try:
            return await build(wanted, door.library, progress.report)
        finally:
            progress.close()


def request(arguments: argparse.Namespace, stack: ExitStack) -> BuildRequest:
    """What is asked for, as data. Raises Failure for what cannot be read."""
    from pybernetes.builder.request import BuildRequest
    from pybernetes.cli import images

    context, text = source(arguments, stack)
    name = arguments.file or "Dockerfile"
    if context and arguments.file not in (None, "-"):
        inside = os.path.relpath(arguments.file, context)
        name = arguments.file if inside.startswith("..") else inside
    return BuildRequest(
        context=context,
        dockerfile=name,
        text=text,
        tags=arguments.tag,
        build_args=dict(argument(each) for each in arguments.build_arg),
        target=arguments.target,
        labels=dict(each.partition("=")[::2] for each in arguments.label),
        secrets=dict(secret(each) for each in arguments.secret),
        ssh=dict(agent(each) for each in arguments.ssh),
        no_cache=arguments.no_cache,
        pull=arguments.pull,
        only_check=arguments.check,
        network=arguments.network,
        hosts=[each.replace("=", ":", 1) for each in arguments.add_host],
        auth=lambda name: images.credential(images.named(name)),
    )


def source(arguments: argparse.Namespace, stack: ExitStack) -> tuple[str, str | None]:
    """The context's directory, and the Dockerfile's text where it does not lie in it."""
    if arguments.context == "-":
        return from_stdin(arguments, stack)
    context = os.path.abspath(arguments.context)
    if os.path.isfile(context):
        step = f"p8s image build -f {arguments.context} {os.path.dirname(arguments.context) or '.'}"
        raise Failure([(f"{arguments.context} is a file, and a build wants the directory of its files", step)])
    if not os.path.isdir(context):
        raise Failure(
            [(f"unable to prepare context: path {arguments.context!r} not found", "p8s image build DIRECTORY")]
        )
    if arguments.file == "-":
        return context, sys.stdin.read()
    return context, None if arguments.file is None else read(arguments.file)


def from_stdin(arguments: argparse.Namespace, stack: ExitStack) -> tuple[str, str | None]:
    from pybernetes.cluster.build_context import open_context, spooled
    from pybernetes.cri.errors import CRIError

    if sys.stdin.isatty():
        raise wrong("standard input is a terminal, neither an archive nor a Dockerfile", "p8s image build DIRECTORY")
    file = stack.enter_context(spooled(sys.stdin.buffer))
    try:
        directory = stack.enter_context(open_context(file))
    except CRIError as error:
        raise Failure([(str(error), "")]) from error
    if directory is None:
        return "", os.pread(file, os.fstat(file).st_size, 0).decode(errors="surrogateescape")
    return str(directory), None


def read(path: str) -> str:
    try:
        return Path(path).read_text(errors="surrogateescape")
    except OSError as error:
        raise Failure(
            [
                (
                    f"failed to read dockerfile: open {path}: {(error.strerror or '').lower()}",
                    "-f FILE names the Dockerfile, from where you are",
                )
            ]
        ) from error


def argument(text: str) -> tuple[str, str | None]:
    """A name alone takes its value from the environment."""
    name, equals, value = text.partition("=")
    return name, value if equals else os.environ.get(name)


def secret(text: str) -> tuple[str, bytes]:
    """`id=NAME`, from the file `src`, else from the variable `env`, else from whichever has the secret's name."""
    found = dict(each.partition("=")[::2] for each in text.split(","))
    name = found.get("id", "")
    if not name:
        raise wrong(f"invalid secret {text!r}: it has no id", "--secret id=NAME,src=FILE")
    path = found.get("src") or found.get("source")
    if path is None and (variable := found.get("env", name)) in os.environ:
        return name, os.environb[os.fsencode(variable)]
    try:
        return name, Path(path or name).read_bytes()
    except OSError as error:
        raise Failure(
            [(f"failed to stat {path or name}: {(error.strerror or '').lower()}", "--secret id=NAME,src=FILE")]
        ) from error


def agent(text: str) -> tuple[str, str]:
    """`ID[=SOCKET]`. sudo takes $SSH_AUTH_SOCK away, so that it has to be named there."""
    name, _, path = text.partition("=")
    path = path or os.environ.get("SSH_AUTH_SOCK", "")
    if not path:
        raise Failure([(f"there is no SSH agent for {name!r}: SSH_AUTH_SOCK is not set", f"--ssh {name}=SOCKET")])
    return name, os.path.abspath(path)


def check_platform(platform: str) -> None:
    import platform as machine

    own = "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}.get(machine.machine(), machine.machine())
    if platform and platform.split("/")[:2] != own.split("/"):
        raise wrong(f"images for {platform} cannot be built on this machine, which is {own}", f"--platform {own}")


def tell(error: BuildError, progress: Progress) -> None:
    """Before the cause: what the failed step printed, and where in the Dockerfile it stands."""
    if error.output and progress.failed is not None:
        print(f"------\n > {progress.failed.name}:", file=sys.stderr)
        print("\n".join(error.output.rstrip("\n").split("\n")[-20:]), file=sys.stderr)
        print("------", file=sys.stderr)
    if error.source:
        print(error.source, file=sys.stderr)


def tell_warnings(progress: Progress) -> None:
    """As docker lists them at the end of a build."""
    found = sorted(progress.warnings, key=lambda each: each.line)
    if found:
        print(f"{len(found)} warning{'s' * (len(found) > 1)} found:", file=sys.stderr)
    for warning in found:
        where = f" (line {warning.line})" if warning.line else ""
        print(f" - {warning.message}{where}", file=sys.stderr)


def checked(progress: Progress, console: Console, *, as_json: bool) -> int:
    """What `--check` comes to."""
    if as_json:
        console.json({"warnings": progress.warnings})
    elif not progress.warnings:
        console.line("check complete, no warnings found")
    return FAILED if progress.warnings else 0


def next_step(error: BuildError) -> str:
    """What to do about it."""
    text = str(error)
    if "failed to read dockerfile" in text:
        return "p8s image build -f FILE CONTEXT, or write a Dockerfile into the context"
    if ": not found" in text and "cache key" in text:
        return "paths are relative to the context, and .dockerignore may exclude them"
    if "resolve source metadata" in text:
        return "check the name and the tag; p8s image ls shows what is here"
    if found := re.search(r"secret (\S+): not found", text):
        return f"--secret id={found[1]},src=FILE, or env=VARIABLE"
    if found := re.search(r"unset ssh forward key (\S+)", text):
        return f"--ssh {found[1]}=$SSH_AUTH_SOCK"
    if "lint violation" in text:
        return "mend what the warnings name, or leave rules out: # check=skip=RULE at the top of the Dockerfile"
    if "did not complete successfully" in text:
        return f"mend line {error.line}; the steps before it are kept"
    return f"mend line {error.line} of the Dockerfile" if error.line else ""

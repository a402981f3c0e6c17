"""p8s logs"""

from __future__ import annotations

import argparse
from pathlib import Path

from pybernetes.cli.arguments import whole
from pybernetes.cli.console import Console, Failure
from pybernetes.cli.profiles import add_profile, existing
from pybernetes.cluster import logs
from pybernetes.cluster.errors import suggestion
from pybernetes.cluster.profile import Profile

EXAMPLES = """examples:
  sudo p8s logs                           the last lines of every process
  sudo p8s logs apiserver -n 200
  sudo p8s logs agent manager -f
  sudo p8s logs --file report.tar.gz      all that is needed to see what is wrong, without secrets"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument(
        "component", nargs="*", help="supervisor, apiserver, manager, agent, runtime ... (default: all)"
    )
    parser.set_defaults(further=[])
    parser.add_argument("-n", "--lines", type=whole, default=25, help="how many lines (default: %(default)s)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on showing what is written")
    parser.add_argument("--file", type=Path, metavar="BUNDLE", help="write a report with logs and state, as tar.gz")


def run(arguments: argparse.Namespace, console: Console) -> int:
    profile = existing(arguments)
    if arguments.file:
        from pybernetes.cluster.bundle import write

        contents = write(profile, arguments.file)
        console.line(f"{arguments.file}: {len(contents)} files, secrets left out")
        return 0
    files = chosen_files(profile, [*arguments.component, *arguments.further])
    for path in files:
        if len(files) > 1:
            console.line(f"==> {path} <==")
        for line in logs.last_lines(path, arguments.lines):
            console.line(line)
    if arguments.follow:
        import asyncio

        name = max(len(path.stem) for path in files) if len(files) > 1 else 0
        asyncio.run(
            logs.follow(files, lambda path, line: console.line(f"{path.stem:<{name}} {line}" if name else line))
        )
    return 0


def chosen_files(profile: Profile, components: list[str]) -> list[Path]:
    """The logs of the components named, of all if none is. Raises Failure."""
    files = {path.stem: path for path in sorted(profile.logs.glob("*.log"))}
    for name in components:
        if name not in files:
            near = suggestion(name, files, f"one of {', '.join(files)}; of a pod: kubectl logs {name}", "p8s logs ")
            raise Failure([(f"there is no log of {name!r} under {profile.logs}", near)])
    if not files:
        raise Failure([(f"there is no log under {profile.logs}", f"p8s start --profile {profile.name}")])
    return [files[name] for name in components] or list(files.values())

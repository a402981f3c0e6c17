"""The entry point: finds the command's module by its name and imports no other, so that p8s starts at once."""

import errno
import importlib
import os
import shlex
import sys
from argparse import SUPPRESS
from collections.abc import Sequence
from types import ModuleType

from pybernetes.cli import elsewhere, offers
from pybernetes.cli.console import BROKEN_PIPE, FAILED, INTERRUPTED, NOT_RUNNING, WRONG_USAGE, Console, Failure
from pybernetes.cli.encoding import settle
from pybernetes.cli.parser import Parser, wrong
from pybernetes.cli.profiles import need_machines
from pybernetes.cluster.errors import ClusterError

COMMANDS = {
    "start": "start a cluster, or bring a stopped one back",
    "stop": "end all pods and the cluster; objects, images and volumes are kept",
    "restart": "restart the cluster's own processes; containers go on running",
    "pause": "freeze the cluster: nothing uses a CPU, memory stays",
    "unpause": "let a paused cluster go on",
    "delete": "delete a cluster and everything it made on this machine",
    "status": "show what runs",
    "profile": "list the clusters of this machine",
    "config": "keep defaults for start, and which cluster is meant",
    "addons": "show and switch what a cluster has beside Kubernetes itself",
    "autostart": "have a cluster start when the machine does",
    "node": "add, stop, start and delete nodes on this machine",
    "image": "build, pull, push, load, save and list images",
    "docker-env": "have docker build and push images of the cluster: eval $(p8s docker-env)",
    "service": "show where services are reached, and open them",
    "tunnel": "show where LoadBalancer services answer (no tunnel is needed)",
    "kubectl": "run kubectl against the cluster",
    "ip": "print the address of a node",
    "mount": "show a directory of this machine at another path, for hostPath volumes",
    "update-context": "put the cluster into your kubeconfig again",
    "df": "show what uses the disk, and what of it could be freed",
    "doctor": "check what this machine offers, and how to mend what is missing",
    "logs": "show the logs of the cluster's processes",
    "why": "explain what is wrong with an object, down to the cause and the next step",
    "version": "show versions",
    "completion": "print the completion script of a shell",
}
GROUPS = {
    "the cluster": (
        *("start", "stop", "restart", "pause", "unpause", "delete"),
        *("status", "profile", "config", "addons", "autostart"),
    ),
    "nodes and images": ("node", "image", "docker-env", "df"),
    "getting in": ("service", "tunnel", "ip", "kubectl", "update-context", "mount"),
    "what is wrong": ("why", "doctor", "logs"),
}
OTHERS = "more"
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
COMPONENTS = {
    "apiserver": "pybernetes.apiserver.main",
    "controller-manager": "pybernetes.controllers.main",
    "scheduler": "pybernetes.scheduler.main",
    "kubelet": "pybernetes.kubelet.main",
    "proxy": "pybernetes.proxy.main",
    "dns": "pybernetes.dns.main",
    "ingress": "pybernetes.ingress.main",
    "runtime": "pybernetes.runtime.main",
    "simulator": "pybernetes.simulator.main",
}
PASSING_ON = ("kubectl",)
"""Commands whose arguments are another program's."""

EPILOG = """{commands}

components, each on its own, with upstream's flags (p8s COMPONENT --help):
  {components}

exit codes: 0 done, 1 failed (cause and next step on stderr), 2 wrong usage, 3 the cluster does not run, 130 Ctrl-C

examples:
  sudo p8s start                        a cluster in a second, kubectl configured
  kubectl create deployment web --image=nginx && kubectl expose deployment web --type=NodePort --port=80
  sudo p8s start --profile ci           a second cluster beside the first
  sudo p8s delete                       leaves nothing behind"""


def command_module(name: str) -> ModuleType:
    return importlib.import_module(f"pybernetes.cli.commands.{name.replace('-', '_')}")


def build_parser(*filled: str) -> Parser:
    """The parser; only these commands' own arguments are filled in."""
    parser = Parser(
        prog="p8s",
        usage="p8s COMMAND ...",
        description="Kubernetes, whole, in Python: a real cluster on this machine.",
        epilog=EPILOG.format(commands=overview(), components=" ".join(COMPONENTS)),
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, prog="p8s", help=SUPPRESS)
    for name, help in COMMANDS.items():
        sub = subparsers.add_parser(name, description=help)
        if name in filled:
            module = command_module(name)
            module.add_arguments(sub)
            sub.epilog = module.EXAMPLES
    return parser


def overview() -> str:
    """The commands by what they are for."""
    named = {name for names in GROUPS.values() for name in names}
    groups = {**GROUPS, OTHERS: tuple(name for name in COMMANDS if name not in named)}
    parts = []
    for title, names in groups.items():
        lines = [f"  {name:<16} {COMMANDS[name]}" for name in names if name in COMMANDS]
        parts.append("\n".join([f"{title}:", *lines]))
    return "\n\n".join(parts)


ON_MACHINES = frozenset(("image", "docker-env", "mount", "df", "ip", "service", "tunnel", "ingress"))
"""Commands about what simulated nodes do not have."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Nothing that it raises is shown as Python shows it."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    settle(sys.stdout, sys.stderr)
    console = Console(sys.stdout, sys.stderr)
    try:
        return run(given, console)
    except KeyboardInterrupt:
        console.note("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more: what is left in the buffer is not worth a message at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        return console.failure(failure_of(error, given))


def run(arguments: list[str], console: Console) -> int:
    """A component, with its own flags and errors, or a command."""
    code: int
    first = arguments[0] if arguments else "--help"
    if first in COMPONENTS:
        code = importlib.import_module(COMPONENTS[first]).main(arguments[1:])
        return code
    if first == offers.COMMAND:
        console.line("\n".join(offers.offered(arguments[1:])))
        return 0
    if first in PASSING_ON:
        code = command_module(first).pass_on(arguments[1:], console)
        return code
    if first == "--version":
        first, arguments = "version", ["version", *arguments[1:]]
    if first not in COMMANDS and (known := elsewhere.command(arguments or [first])):
        raise wrong(*known)
    parsed = build_parser(first).read(arguments or ["--help"])
    if getattr(parsed, "json", getattr(parsed, "output", "") == "json"):
        console.promise_json()
    if first in ON_MACHINES:
        need_machines(parsed)
    code = command_module(parsed.command).run(parsed, console)
    return code


def failure_of(error: Exception, arguments: Sequence[str]) -> Failure:
    """What went wrong, as a cause and a next step."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, ClusterError):
        causes = [(problem.cause, problem.next_step) for problem in error.problems]
        return Failure(causes, WRONG_USAGE if error.is_usage else FAILED if error.answers else NOT_RUNNING)
    if isinstance(error, PermissionError) and os.geteuid() != 0:
        return Failure([(f"{said(error)}: only root may do this", f"sudo p8s {shlex.join(arguments)}")])
    if isinstance(error, OSError):
        return Failure([(said(error), "df -h; dmesg | tail" if error.errno in DISK else "")])
    return unexpected(error, arguments)


def unexpected(error: Exception, arguments: Sequence[str]) -> Failure:
    """A fault of ours: where it came from is shown to whoever asks for it."""
    if os.environ.get("P8S_TRACEBACK"):
        raise error
    cause = f"p8s has failed: {type(error).__name__}: {error}"
    return Failure([(cause, f"P8S_TRACEBACK=1 p8s {shlex.join(arguments)} shows where; please report it")], FAILED)


def said(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error) or repr(error)


if __name__ == "__main__":
    sys.exit(main())

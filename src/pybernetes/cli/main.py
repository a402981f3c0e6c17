"""The entry point: finds the command's module by its name and imports no other, so that p8s starts at once."""

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from pybernetes.cli.console import Console, Failure
from pybernetes.cluster.errors import ClusterError

COMMANDS = {
    "start": "start a cluster, or bring a stopped one back",
    "stop": "end all pods and the cluster; objects, images and volumes are kept",
    "restart": "restart the cluster's own processes; containers go on running",
    "delete": "delete a cluster and everything it made on this machine",
    "status": "show what runs",
    "node": "add, stop, start and delete nodes on this machine",
    "image": "build, pull, push, load, save and list images",
    "logs": "show the logs of the cluster's processes",
    "version": "show versions",
}
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
COMPONENTS = {
    "apiserver": "pybernetes.apiserver.main",
    "controller-manager": "pybernetes.controllers.main",
    "scheduler": "pybernetes.scheduler.main",
    "kubelet": "pybernetes.kubelet.main",
    "proxy": "pybernetes.proxy.main",
    "dns": "pybernetes.dns.main",
    "runtime": "pybernetes.runtime.main",
    "simulator": "pybernetes.simulator.main",
}
EPILOG = """components, each on its own, with upstream's flags (p8s COMPONENT --help):
  {components}

exit codes: 0 done, 1 failed (cause and next step on stderr), 2 wrong usage, 3 the cluster does not run
examples:
  sudo p8s start                        a cluster in a second, kubectl configured
  kubectl create deployment web --image=nginx && kubectl expose deployment web --type=NodePort --port=80
  sudo p8s start --profile ci           a second cluster beside the first
  sudo p8s delete                       leaves nothing behind"""


def command_module(name: str) -> ModuleType:
    return importlib.import_module(f"pybernetes.cli.commands.{name.replace('-', '_')}")


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser; only the chosen command's own arguments are filled in."""
    parser = argparse.ArgumentParser(
        prog="p8s",
        description="Kubernetes, whole, in Python: a real cluster on this machine.",
        epilog=EPILOG.format(components=" ".join(COMPONENTS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, help in COMMANDS.items():
        sub = subparsers.add_parser(
            name, help=help, description=help, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == chosen:
            module = command_module(name)
            module.add_arguments(sub)
            sub.epilog = module.EXAMPLES
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    console = Console(sys.stdout, sys.stderr)
    try:
        return run(list(sys.argv[1:] if arguments is None else arguments), console)
    except (Failure, ClusterError) as error:
        return console.failure(error if isinstance(error, Failure) else failure_of(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except OSError as error:
        return console.failure(Failure([(said(error), "df -h; dmesg | tail" if error.errno in DISK else "")]))


def run(arguments: list[str], console: Console) -> int:
    """A component, with its own flags and errors, or a command."""
    code: int
    if arguments and arguments[0] in COMPONENTS:
        code = importlib.import_module(COMPONENTS[arguments[0]]).main(arguments[1:])
        return code
    chosen = next((argument for argument in arguments if argument in COMMANDS), None)
    parsed = build_parser(chosen).parse_args(arguments)
    code = command_module(parsed.command).run(parsed, console)
    return code


def failure_of(error: ClusterError) -> Failure:
    return Failure([(problem.cause, problem.next_step) for problem in error.problems])


def said(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error) or repr(error)


if __name__ == "__main__":
    sys.exit(main())

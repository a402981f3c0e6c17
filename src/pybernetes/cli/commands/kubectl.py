"""p8s kubectl: upstream's kubectl, with the credentials of a cluster."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence

from pybernetes import API_LEVEL
from pybernetes.cli.console import Console, Failure
from pybernetes.cli.parser import Parser
from pybernetes.cli.profiles import add_profile
from pybernetes.cluster import control, profile
from pybernetes.cluster.door import DoorError, absent, credentials, is_stopped_roots, missing, stopped_roots
from pybernetes.cluster.owner import caller, user_paths

EXAMPLES = """everything after the profile is kubectl's; so are the signals and the exit code (3: the cluster does not run)

examples:
  p8s kubectl get pods -A
  p8s kubectl -p ci get nodes
  p8s kubectl -- logs -f web        what kubectl calls -p or --profile comes after its own command, or after --"""

OURS = ("-p", "--profile")
NOT_FOUND = 127
ASKS_NOBODY = ("completion", "config", "help", "kustomize", "options", "plugin", "version")
"""What kubectl does, at least in part, without a cluster."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="kubectl's own")


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, which come first, and kubectl's."""
    own, rest = [], list(arguments)
    while rest and (rest[0] in OURS or rest[0].startswith("--profile=")):
        taken = 1 if "=" in rest[0] else 2
        own += rest[:taken]
        rest = rest[taken:]
    return own, rest[1:] if rest[:1] == ["--"] else rest


def pass_on(arguments: Sequence[str], console: Console) -> int:
    """Become kubectl. Returns only to say that it cannot."""
    own, rest = split(arguments)
    parser = Parser(prog="p8s kubectl", epilog=EXAMPLES)
    add_arguments(parser)
    if rest[:1] in (["-h"], ["--help"]):
        parser.print_help()
        return 0
    name = parser.read(own).profile
    program = shutil.which("kubectl")
    if program is not None:
        environment = {**os.environ, "KUBECONFIG": kubeconfig(name)}
        if rest[:1] and rest[0] not in ASKS_NOBODY:
            check_running(name)
        os.execve(program, ["kubectl", f"--context={name}", *rest], environment)
    raise Failure([("kubectl is not installed", install())], NOT_FOUND)


def kubeconfig(name: str) -> str:
    """The cluster's own where it is the caller's cluster, else the caller's.

    Raises DoorError if that says nothing of the cluster. It is not parsed: loading YAML takes longer than kubectl.
    """
    own = credentials(name)
    places = [own] if own else user_paths(caller())
    if cause := missing(places):
        raise absent(name, cause)
    for place in places:
        if place.exists() and name in place.read_text(errors="replace"):
            return str(place)
    raise absent(name, f"{', '.join(map(str, places))} has no context {name!r}")


def check_running(name: str) -> None:
    """What kubectl would say of a cluster that does not run leads nowhere. Raises ClusterError if it is known not to."""
    if name in profile.profile_names():
        if control.state(found := profile.load(name)) != "Running":
            raise control.NotRunningError(found)
    elif is_stopped_roots(name):
        raise DoorError(*stopped_roots(name))


def install() -> str:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    url = f"https://dl.k8s.io/release/v{API_LEVEL}.0/bin/linux/{machine}/kubectl"
    return f"curl -LO {url} && sudo install kubectl /usr/local/bin/"

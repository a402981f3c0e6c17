"""p8s version"""

import argparse
import platform
from typing import Any

from pybernetes import API_LEVEL, __version__
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, add_profile

EXAMPLES = """examples:
  p8s version              of this program, and of the cluster if it runs
  p8s version --client     asks nobody
  p8s version -o json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)
    parser.add_argument("--client", action="store_true", help="of this program only")


def server(profile: str) -> dict[str, str]:
    """What the API server says of itself; empty if there is none for the caller."""
    from pybernetes.cluster.door import DoorError, open_door

    try:
        said = open_door(profile).get("/version")
    except DoorError:
        return {}
    kubernetes, _, build = said["gitVersion"].removeprefix("v").partition("+pybernetes-")
    return {"pybernetes": build, "kubernetes": kubernetes, "platform": said["platform"]}


def run(arguments: argparse.Namespace, console: Console) -> int:
    found: dict[str, Any] = {"pybernetes": __version__, "kubernetes": API_LEVEL, "python": platform.python_version()}
    answered = {} if arguments.client else server(arguments.profile)
    differs = bool(answered) and answered["pybernetes"] != __version__
    if arguments.output == "json":
        console.json({**found, "server": answered or None, "differs": differs})
        return 0
    for name, value in found.items():
        console.line(f"{name} {value}")
    if answered:
        build, level = answered["pybernetes"], answered["kubernetes"]
        console.line(f"cluster {arguments.profile!r}: pybernetes {build}, kubernetes {level}")
    if differs:
        console.line(f"another version has started it: sudo p8s restart -p {arguments.profile}")
    return 0

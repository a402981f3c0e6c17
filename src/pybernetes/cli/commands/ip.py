"""p8s ip"""

import argparse

from pybernetes.cli.console import Console, Failure
from pybernetes.cli.profiles import add_output, add_profile
from pybernetes.cluster.errors import suggestion

EXAMPLES = """examples:
  p8s ip
  curl $(p8s ip):30080        a node port, at the node's own address
  p8s ip m02                  of another node
  p8s ip -o json              of every node"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)
    parser.add_argument("node", nargs="?", help="its name, or the end of it (default: the first node)")


def addresses(profile: str) -> dict[str, str]:
    """Each node's address: of the settings where they may be read, else as the API server has it."""
    from pybernetes.cluster.profile import load, profile_names

    if profile in profile_names():
        return {node.name: node.address for node in load(profile).nodes}
    from pybernetes.cluster.door import open_door

    return {node["metadata"]["name"]: internal(node) for node in open_door(profile).items("/api/v1/nodes")}


def internal(node: dict[str, dict[str, list[dict[str, str]]]]) -> str:
    found = node["status"].get("addresses", [])
    return next((each["address"] for each in found if each["type"] == "InternalIP"), "-")


def run(arguments: argparse.Namespace, console: Console) -> int:
    found = addresses(arguments.profile)
    if arguments.output == "json":
        console.json(found)
        return 0
    wanted = arguments.node or arguments.profile
    for name in (wanted, f"{arguments.profile}-{wanted}"):
        if name in found:
            console.line(found[name])
            return 0
    near = suggestion(wanted, found, ", ".join(found))
    raise Failure([(f"cluster {arguments.profile!r} has no node {wanted!r}", f"p8s ip {near}")])

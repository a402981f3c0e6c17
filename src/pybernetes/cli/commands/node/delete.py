"""p8s node delete"""

import argparse

from pybernetes.cli.arguments import seconds
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing
from pybernetes.cluster.profile import Profile

EXAMPLES = """examples:
  sudo p8s node delete m02
  sudo p8s node delete m02 m03 --drain 10

Its pods are evicted first, so that their controllers make them anew on other nodes."""


STEPS = {"drained": "🚚", "deleted": "🧹"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="the node, with or without the profile's name before it"
    )
    parser.add_argument(
        "--drain",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for its pods (default: %(default)s)",
    )
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cluster import simulated

    profile = existing(arguments)
    if arguments.output:
        console.only_json()
    deleted = []
    for name in arguments.names:
        if profile.settings.simulated or simulated.is_simulated(profile, name):
            simulated.delete(profile, name)
            deleted.append(name)
            console.step(STEPS["deleted"], f"simulated node {name!r} deleted")
        else:
            deleted += delete_machine(profile, name, arguments.drain, console)
    if arguments.output:
        console.json({"deleted": deleted})
    return 0


def delete_machine(profile: Profile, name: str, drain_seconds: float, console: Console) -> list[str]:
    """The full name of the node that was deleted."""
    from pybernetes.cluster import nodes
    from pybernetes.cluster.node import Node

    deleted = []

    def report(step: str, node: Node) -> None:
        console.step(STEPS[step], f"node {node.name!r} {step}")
        if step == "deleted":
            deleted.append(node.name)

    for pod in nodes.delete(profile.name, name, report, drain_seconds=drain_seconds):
        console.line(f"pod {pod.namespace}/{pod.name} had not gone in time, and went with the node")
    return deleted

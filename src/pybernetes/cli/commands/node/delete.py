"""p8s node delete"""

import argparse

from pybernetes.cli.arguments import seconds
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing

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
    from pybernetes.cluster import nodes, simulated
    from pybernetes.cluster.node import Node

    profile = existing(arguments)
    if arguments.output:
        console.only_json()

    deleted = []

    def report(step: str, node: Node) -> None:
        console.step(STEPS[step], f"node {node.name!r} {step}")
        if step == "deleted":
            deleted.append(node.name)

    for name in arguments.names:
        if simulated.is_simulated(profile, name):
            simulated.delete(profile, name)
            deleted.append(name)
            console.step("🧹", f"simulated node {name!r} deleted")
            continue
        left = nodes.delete(profile.name, name, report, drain_seconds=arguments.drain)
        for pod in left:
            console.line(f"pod {pod.namespace}/{pod.name} had not gone in time, and went with the node")
    if arguments.output:
        console.json({"deleted": deleted})
    return 0

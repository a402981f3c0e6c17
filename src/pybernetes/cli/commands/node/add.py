"""p8s node add"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import existing

EXAMPLES = """examples:
  sudo p8s node add
  sudo p8s node add worker
  sudo p8s node add --count 3"""

STEPS = {"made": ("📦", "node {} added"), "Ready": ("🚀", "node {} Ready")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("name", nargs="?", default="", help="what to call it (default: PROFILE-m02, -m03 ...)")
    which.add_argument("--count", type=int, default=1, metavar="N", help="how many to add (default: %(default)s)")
    parser.add_argument("--wait", type=float, default=60.0, metavar="SECONDS", help="how long to wait for Ready")


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cluster import nodes
    from pybernetes.cluster.node import Node

    profile = existing(arguments)

    def report(step: str, node: Node) -> None:
        emoji, text = STEPS[step]
        console.step(emoji, text.format(repr(node.name)))

    nodes.add(profile.name, report, count=arguments.count, called=arguments.name, wait_seconds=arguments.wait)
    return 0

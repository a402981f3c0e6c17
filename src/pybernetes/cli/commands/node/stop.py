"""p8s node stop"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing, need_machines

EXAMPLES = """examples:
  sudo p8s node stop m02

As if its plug were pulled: its containers end at once. After some 40 s the cluster finds it NotReady, and after five
more minutes (tolerationSeconds of each pod) its pods are made anew elsewhere. p8s node start brings it back."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the node, with or without the profile's name before it")
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    need_machines(arguments)
    from pybernetes.cluster import nodes

    node = nodes.stop(existing(arguments).name, arguments.name)
    if arguments.output:
        console.json({"stopped": [node.name]})
        return 0
    console.step("🛑", f"node {node.name!r} stopped")
    return 0

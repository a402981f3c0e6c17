"""p8s node start"""

import argparse

from pybernetes.cli.arguments import seconds
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing, need_machines

EXAMPLES = """examples:
  sudo p8s node start m02"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the node, with or without the profile's name before it")
    parser.add_argument("--wait", type=seconds, default=60.0, metavar="SECONDS", help="how long to wait for Ready")
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    need_machines(arguments)
    from pybernetes.cluster import nodes

    node = nodes.start(existing(arguments).name, arguments.name, wait_seconds=arguments.wait)
    if arguments.output:
        console.json({"started": [node.name]})
        return 0
    console.step("🚀", f"node {node.name!r} started")
    return 0

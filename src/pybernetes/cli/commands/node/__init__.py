"""p8s node: the nodes of a cluster on this machine."""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.groups import add_verbs, run_verb
from pybernetes.cli.profiles import add_profile

EXAMPLES = """examples:
  sudo p8s node add
  sudo p8s node list
  sudo p8s node stop m02
  sudo p8s node delete m02"""

VERBS = {
    "add": "add nodes to a cluster",
    "delete": "drain a node and take it away",
    "stop": "switch a node off, as if its plug were pulled",
    "start": "switch a stopped node on again",
    "list": "show the nodes of this machine",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_verbs(parser, __name__, VERBS)


def run(arguments: argparse.Namespace, console: Console) -> int:
    return run_verb(arguments, __name__, console)

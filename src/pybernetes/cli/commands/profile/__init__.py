"""p8s profile: the clusters of this machine."""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.groups import add_verbs, run_verb

EXAMPLES = """examples:
  sudo p8s profile list
  sudo p8s profile list -o json
  p8s config set profile ci      commands are about cluster 'ci' from now on"""

VERBS = {"list": "show every cluster of this machine, whether it runs or not"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_verbs(parser, __name__, VERBS)


def run(arguments: argparse.Namespace, console: Console) -> int:
    return run_verb(arguments, __name__, console)

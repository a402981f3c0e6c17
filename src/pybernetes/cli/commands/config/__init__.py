"""p8s config: a user's preferences."""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.groups import add_verbs, run_verb
from pybernetes.cluster.options import OPTIONS

EXAMPLES = (
    """options, which p8s start takes for a new cluster where nothing else is said (flag, then --config, then these):
"""
    + "\n".join(f"  {option.name:<18} {option.help}" for option in OPTIONS)
    + """

examples:
  p8s config set profile ci
  p8s config set registry-mirror docker.io=http://127.0.0.1:5000
  p8s config view
  p8s config unset registry-mirror"""
)

VERBS = {
    "set": "keep a value for an option",
    "get": "print the value of an option",
    "unset": "forget the value of an option",
    "view": "show every option that has a value",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_verbs(parser, __name__, VERBS)


def run(arguments: argparse.Namespace, console: Console) -> int:
    return run_verb(arguments, __name__, console)

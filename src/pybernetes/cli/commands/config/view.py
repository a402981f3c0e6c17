"""p8s config view"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output
from pybernetes.cluster import preferences
from pybernetes.cluster.options import shown

EXAMPLES = """examples:
  p8s config view
  p8s config view -o json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    kept = preferences.load()
    if arguments.output == "json":
        console.json(kept)
    elif kept:
        console.table(["OPTION", "VALUE"], [[name, shown(value)] for name, value in sorted(kept.items())])
    else:
        console.line(f"nothing is set; {preferences.path()} will keep what p8s config set is told")
    return 0

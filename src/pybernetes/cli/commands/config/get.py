"""p8s config get"""

import argparse

from pybernetes.cli.console import FAILED, Console, Failure
from pybernetes.cluster import options, preferences

EXAMPLES = """examples:
  p8s config get profile"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="OPTION")


def run(arguments: argparse.Namespace, console: Console) -> int:
    name = options.option(arguments.name).name
    kept = preferences.load()
    if name not in kept:
        raise Failure([(f"{name} is not set", f"p8s config set {name} VALUE")], FAILED)
    value = kept[name]
    for each in value if isinstance(value, list) else [value]:
        console.line(str(each))
    return 0

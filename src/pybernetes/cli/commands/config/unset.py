"""p8s config unset"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cluster import options, preferences

EXAMPLES = """examples:
  p8s config unset oci-runtime"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="OPTION")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Safe to repeat."""
    kept = preferences.load()
    if kept.pop(options.option(arguments.name).name, None) is not None:
        preferences.save(kept)
    return 0

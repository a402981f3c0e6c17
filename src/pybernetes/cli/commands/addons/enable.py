"""p8s addons enable"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import existing

EXAMPLES = """examples:
  sudo p8s addons enable storage"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="ADDON")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Safe to repeat."""
    from pybernetes.cluster.addons import find, switch

    addon = find(arguments.name)
    changed = switch(existing(arguments).name, addon, on=True)
    console.line(f"{addon.name} is enabled" + ("" if changed else ", as it was: it is built in"))
    return 0

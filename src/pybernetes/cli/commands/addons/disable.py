"""p8s addons disable"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import existing

EXAMPLES = """what there is of it goes on: addresses and volumes that were given stay, but nobody looks after them

examples:
  sudo p8s addons disable storage"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="ADDON")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Safe to repeat."""
    from pybernetes.cluster.addons import find, switch

    addon = find(arguments.name)
    changed = switch(existing(arguments).name, addon, on=False)
    console.line(f"{addon.name} is disabled" + ("" if changed else ", as it was"))
    return 0

"""p8s addons disable"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing

EXAMPLES = """what there is of it goes on: addresses and volumes that were given stay, but nobody looks after them

examples:
  sudo p8s addons disable storage"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="ADDON")
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Safe to repeat."""
    from pybernetes.cluster.addons import find, switch

    addon = find(arguments.name)
    changed = switch(existing(arguments).name, addon, on=False)
    if arguments.output:
        console.json({"addon": addon.name, "enabled": False, "changed": changed})
        return 0
    console.line(f"{addon.name} is disabled" + ("" if changed else ", as it was"))
    return 0

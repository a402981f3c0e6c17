"""p8s addons enable"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing

EXAMPLES = """examples:
  sudo p8s addons enable storage"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="ADDON")
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Safe to repeat."""
    from pybernetes.cluster.addons import find, switch

    addon = find(arguments.name)
    changed = switch(existing(arguments).name, addon, on=True)
    if arguments.output:
        console.json({"addon": addon.name, "enabled": True, "changed": changed})
        return 0
    console.line(f"{addon.name} is enabled" + ("" if changed else ", as it was: it is built in"))
    return 0

"""p8s addons disable"""

import argparse

from pybernetes.cli.addons import add_switch, run_switch
from pybernetes.cli.console import Console

EXAMPLES = """what there is of it goes on: addresses and volumes that were given stay, but nobody looks after them

examples:
  sudo p8s addons disable storage"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_switch(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    return run_switch(arguments, console, on=False, as_it_was=", as it was")

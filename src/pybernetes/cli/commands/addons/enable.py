"""p8s addons enable"""

import argparse

from pybernetes.cli.addons import add_switch, run_switch
from pybernetes.cli.console import Console

EXAMPLES = """examples:
  sudo p8s addons enable storage"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_switch(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    return run_switch(arguments, console, on=True, as_it_was=", as it was: it is built in")

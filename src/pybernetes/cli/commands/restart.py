"""p8s restart"""

import argparse

from pybernetes.cli.commands import start
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import existing

EXAMPLES = """examples:
  sudo p8s restart                       after an upgrade of pybernetes; containers go on running
  sudo p8s restart --oci-runtime runc    with other options from now on"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    start.add_arguments(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    arguments.profile = start.resolve(arguments)["profile"]
    existing(arguments)
    return start.run(arguments, console, again=True)

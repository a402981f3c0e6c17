"""p8s version"""

import argparse
import platform

from pybernetes import API_LEVEL, __version__
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output

EXAMPLES = """examples:
  p8s version -o json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    found = {"pybernetes": __version__, "kubernetes": API_LEVEL, "python": platform.python_version()}
    if arguments.output == "json":
        console.json(found)
    else:
        for name, value in found.items():
            console.line(f"{name} {value}")
    return 0

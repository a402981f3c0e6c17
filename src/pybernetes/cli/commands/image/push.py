"""p8s image push"""

import argparse

from pybernetes.cli.console import Console

EXAMPLES = """examples:
  sudo p8s image push registry.example/team/app:1.4
  sudo p8s image push localhost:5000/app"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="image; its name says which registry")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, print digests only")


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images
    from pybernetes.cri.socket import Client

    images.transfer_all(arguments, console, Client.push_image, lambda name, result: f"pushed {name} ({result})")
    return 0

"""p8s image push"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output

EXAMPLES = """examples:
  sudo p8s image push registry.example/team/app:1.4
  sudo p8s image push localhost:5000/app"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="image; its name says which registry")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, print digests only")
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images
    from pybernetes.cri.socket import Client

    did = images.Did("pushed", "digest", lambda name, result: f"pushed {name} ({result})")
    images.transfer_all(arguments, console, Client.push_image, did)
    return 0

"""p8s image pull"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output

EXAMPLES = """examples:
  sudo p8s image pull nginx
  sudo p8s image pull registry.example/team/app:1.4 busybox:1.36"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="image, by tag or digest")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, print ids only")
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images
    from pybernetes.cri.door import short
    from pybernetes.cri.socket import Client

    did = images.Did("pulled", "id", lambda name, result: f"pulled {name} ({short(result)})")
    images.transfer_all(arguments, console, Client.fetch_image, did)
    return 0

"""p8s image tag"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output

EXAMPLES = """examples:
  sudo p8s image tag app:latest registry.example/team/app:1.4"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="IMAGE", help="an image, by name or id")
    parser.add_argument("target", metavar="NAME", help="its further name")
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images

    target = images.named(arguments.target)
    images.ask(arguments, lambda door: door.library.tag_image(arguments.source, arguments.target))
    if arguments.output == "json":
        console.json({"tagged": str(target), "source": arguments.source})
    return 0

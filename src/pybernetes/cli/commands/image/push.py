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
    from pybernetes.cri.door import Door

    wanted = [(name, images.named(name)) for name in arguments.names]

    async def use(door: Door) -> None:
        for name, reference in wanted:
            steps = door.library.push_image(name, images.credential(reference))
            result = await images.transfer(steps, console, arguments.quiet)
            console.line(result if arguments.quiet else f"pushed {reference} ({result})")

    images.ask(arguments, use)
    return 0

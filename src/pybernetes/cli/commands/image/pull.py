"""p8s image pull"""

import argparse

from pybernetes.cli.console import Console

EXAMPLES = """examples:
  sudo p8s image pull nginx
  sudo p8s image pull registry.example/team/app:1.4 busybox:1.36"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="image, by tag or digest")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, print ids only")


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images
    from pybernetes.cri.door import Door, short

    wanted = [(name, images.named(name)) for name in arguments.names]

    async def use(door: Door) -> None:
        for name, reference in wanted:
            steps = door.library.fetch_image(name, images.credential(reference))
            result = await images.transfer(steps, console, arguments.quiet)
            console.line(result if arguments.quiet else f"pulled {reference} ({short(result)})")

    images.ask(arguments, use)
    return 0

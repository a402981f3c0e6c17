"""p8s image rm"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output

EXAMPLES = """examples:
  sudo p8s image rm app:1
  sudo p8s image rm --force 0123456789ab"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="a name to take away, or an image's id")
    parser.add_argument("-f", "--force", action="store_true", help="though it has several names or a container uses it")
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images
    from pybernetes.cri.door import Door, familiar

    if arguments.output == "json":
        console.only_json()
    found: dict[str, list[str]] = {"untagged": [], "deleted": []}

    async def use(door: Door) -> None:
        for name in arguments.names:
            removed = await door.remove(name, force=arguments.force)
            found["untagged"] += removed.untagged
            found["deleted"] += [removed.deleted] if removed.deleted else []
            for untagged in removed.untagged:
                console.line(f"untagged {familiar(untagged)}")
            if removed.deleted:
                console.line(f"deleted {removed.deleted}")

    images.ask(arguments, use)
    if arguments.output == "json":
        console.json(found)
    return 0

"""p8s image prune"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output

EXAMPLES = """examples:
  sudo p8s image prune

images that a container stands on, and those with a name, stay; the next build does every step anew"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What has a name is for `p8s image rm`."""
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images
    from pybernetes.cri import types as t
    from pybernetes.cri.door import Door

    if arguments.output == "json":
        console.only_json()
    deleted: list[str] = []

    async def use(door: Door) -> int:
        for record in await door.library.image_records():
            if not record.tags and await door.user_of(record) is None:
                await door.library.remove_image(t.ImageSpec(image=record.id))
                console.line(f"deleted {record.id}")
                deleted.append(record.id)
        return await door.library.forget_builds()

    freed = images.ask(arguments, use)
    console.line(f"freed {images.size(freed)} of builds")
    if arguments.output == "json":
        console.json({"deleted": deleted, "freed": freed})
    return 0

"""p8s image prune"""

import argparse

from pybernetes.cli.console import Console

EXAMPLES = """examples:
  sudo p8s image prune

images that a container stands on, and those with a name, stay; the next build does every step anew"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: what has a name is for `p8s image rm`."""


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images
    from pybernetes.cri import types as t
    from pybernetes.cri.door import Door

    async def use(door: Door) -> None:
        for record in await door.library.image_records():
            if not record.tags and await door.user_of(record) is None:
                await door.library.remove_image(t.ImageSpec(image=record.id))
                console.line(f"deleted {record.id}")
        console.line(f"freed {images.size(await door.library.forget_builds())} of builds")

    images.ask(arguments, use)
    return 0

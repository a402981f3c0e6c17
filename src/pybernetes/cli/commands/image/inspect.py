"""p8s image inspect"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from pybernetes.cli.console import Console

if TYPE_CHECKING:
    from pybernetes.cri.library import ImageRecord

EXAMPLES = """examples:
  sudo p8s image inspect nginx:1.27"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="images, by name or id")
    parser.add_argument("-o", "--output", choices=["json"], default="json", help="print as JSON (which it always does)")


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images
    from pybernetes.cri.door import Door

    async def use(door: Door) -> list[dict[str, Any]]:
        return [described(await door.library.image_record(name)) for name in arguments.names]

    console.json(images.ask(arguments, use))
    return 0


def described(record: ImageRecord) -> dict[str, Any]:
    """All that is known of an image; its `config` as the image has it (OCI image spec, config.md)."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    return {**fields, "config": json.loads(record.config)}

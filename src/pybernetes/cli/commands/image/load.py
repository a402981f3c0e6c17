"""p8s image load"""

import argparse
import os
import shutil
import sys

from pybernetes.cli.console import Console, Failure
from pybernetes.cli.parser import wrong
from pybernetes.cli.profiles import add_output

EXAMPLES = """examples:
  docker save myapp:1 | sudo p8s image load
  sudo p8s image load app.tar.zst other.tar
  sudo p8s image load oci-layout/"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="archive (also gzip, zstd) or OCI layout; - or none: standard input"
    )
    parser.add_argument("-i", "--input", action="append", default=[], metavar="FILE", help="the same, as docker has it")
    parser.add_argument("-q", "--quiet", action="store_true", help="print names only")
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images
    from pybernetes.cri.door import Door, familiar

    paths = [*arguments.input, *arguments.files] or ["-"]
    if "-" in paths and sys.stdin.isatty():
        raise wrong("standard input is a terminal, not an archive", "p8s image load FILE")

    for path in paths:
        if path != "-" and not os.path.exists(path):
            step = (
                f"p8s image pull {path}" if shutil.which("docker") is None else f"docker save {path} | p8s image load"
            )
            raise Failure([(f"there is no file {path}", f"{step}, if {path} is an image")])
    if arguments.output == "json":
        console.only_json()
    loaded: list[str] = []

    async def use(door: Door) -> None:
        for path in paths:
            place = f"/proc/{os.getpid()}/fd/0" if path == "-" else os.path.abspath(path)
            for name in await door.library.load_images(place):
                loaded.append(name)
                console.line(name if arguments.quiet else f"loaded {familiar(name)}")

    images.ask(arguments, use)
    if arguments.output == "json":
        console.json({"loaded": loaded})
    return 0

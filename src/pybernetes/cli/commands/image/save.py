"""p8s image save"""

import argparse
import os
import sys

from pybernetes.cli.console import Console
from pybernetes.cli.parser import wrong

EXAMPLES = """examples:
  sudo p8s image save -o apps.tar app:1 other:2
  sudo p8s image save app:1 | docker load"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="images, by name or id")
    parser.add_argument("-o", "--output", metavar="FILE", help="the archive to write (default: standard output)")
    parser.add_argument("--json", action="store_true", help="print what was saved as JSON; -o is docker's here")


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images

    if arguments.json and arguments.output is None:
        raise wrong("standard output cannot be both, archive and JSON", "p8s image save --json -o FILE NAME...")
    if arguments.output is None and sys.stdout.isatty():
        raise wrong("an archive is nothing for a terminal", "p8s image save -o FILE NAME...")
    if arguments.output is None:
        images.ask(arguments, lambda door: door.library.save_images(arguments.names, f"/proc/{os.getpid()}/fd/1"))
        return 0
    # Opened here, so that it is the caller's file with the caller's mode; half an archive is worse than none.
    temporary = f"{arguments.output}.{os.getpid()}"
    try:
        with open(temporary, "xb") as file:
            place = f"/proc/{os.getpid()}/fd/{file.fileno()}"
            images.ask(arguments, lambda door: door.library.save_images(arguments.names, place))
        os.replace(temporary, arguments.output)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    if arguments.json:
        size = os.stat(arguments.output).st_size
        console.json({"saved": arguments.names, "file": arguments.output, "size": size})
    return 0

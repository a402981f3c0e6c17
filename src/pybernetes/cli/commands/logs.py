"""p8s logs"""

import argparse
import os
import select
from pathlib import Path

from pybernetes.cli.console import Console, Failure
from pybernetes.cli.profiles import add_profile, existing
from pybernetes.cluster.logs import last_lines

EXAMPLES = """examples:
  sudo p8s logs                     the last lines of every process
  sudo p8s logs apiserver -n 200
  sudo p8s logs agent -f"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument("component", nargs="?", help="supervisor, apiserver, manager, agent or runtime")
    parser.add_argument("-n", "--lines", type=int, default=25, help="how many lines (default: %(default)s)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on showing what is written")


def run(arguments: argparse.Namespace, console: Console) -> int:
    profile = existing(arguments)
    files = sorted(profile.logs.glob("*.log"))
    if arguments.component:
        files = [path for path in files if path.stem == arguments.component]
        if not files:
            raise Failure([(f"there is no log of {arguments.component!r} under {profile.logs}", "p8s logs")])
    for path in files:
        if len(files) > 1:
            console.line(f"==> {path} <==")
        for line in last_lines(path, arguments.lines):
            console.line(line)
    if arguments.follow:
        follow(files, console)
    return 0


def follow(files: list[Path], console: Console) -> None:
    """Print what is appended, for ever."""
    opened = [path.open(errors="replace") for path in files]
    for file in opened:
        file.seek(0, os.SEEK_END)
    while True:
        for file in opened:
            for line in file:
                console.line(line.rstrip("\n"))
        select.select([], [], [], 0.2)

"""p8s df"""

import argparse
import os

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, add_profile, existing

EXAMPLES = """examples:
  sudo p8s df
  sudo p8s df -o json
  sudo p8s image rm NAME       gives back what an image takes that no container uses"""

UNITS = ("B", "kB", "MB", "GB", "TB")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)


def readable(count: int) -> str:
    """1234567 -> 1.2MB"""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g}{UNITS[unit]}"


def run(arguments: argparse.Namespace, console: Console) -> int:
    profile = existing(arguments)
    from pybernetes.cluster.usage import HELP, measure

    rows = measure(profile)
    disk = os.statvfs(profile.state)
    free = disk.f_bavail * disk.f_frsize
    if arguments.output == "json":
        console.json({"uses": rows, "free": free})
        return 0
    cells = [
        [row.what, readable(row.bytes), "-" if row.reclaimable is None else readable(row.reclaimable), HELP[row.what]]
        for row in rows
    ]
    total = sum(row.bytes for row in rows)
    console.table(
        ["USE", "SIZE", "RECLAIMABLE", "WHAT IT IS"],
        [*cells, ["total", readable(total), "", f"{readable(free)} are free"]],
    )
    return 0

"""p8s stop"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_profile, existing
from pybernetes.cluster.lifecycle import stop

EXAMPLES = """examples:
  sudo p8s stop
  sudo p8s stop --grace 5"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument("--grace", type=float, default=30.0, metavar="SECONDS", help="time that pods have to end")


def run(arguments: argparse.Namespace, console: Console) -> int:
    profile = existing(arguments)
    was_running = stop(profile, arguments.grace)
    console.step("🛑", f"cluster {profile.name!r} " + ("stopped" if was_running else "was not running"))
    return 0

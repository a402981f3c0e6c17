"""p8s stop"""

import argparse

from pybernetes.cli.arguments import seconds
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, add_profile, meant
from pybernetes.cluster.lifecycle import stop

EXAMPLES = """examples:
  sudo p8s stop
  sudo p8s stop --grace 5
  sudo p8s stop --all"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)
    parser.add_argument("--all", action="store_true", help="every cluster of this machine")
    parser.add_argument("--grace", type=seconds, default=30.0, metavar="SECONDS", help="time that pods have to end")


def run(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.output:
        console.only_json()
    stopped = []
    for profile in meant(arguments):
        console.live(f"ending the pods of {profile.name!r}")
        was_running = stop(profile, arguments.grace)
        stopped.append({"profile": profile.name, "wasRunning": was_running})
        console.step("🛑", f"cluster {profile.name!r} " + ("stopped" if was_running else "was not running"))
    if arguments.output:
        console.json({"stopped": stopped})
    return 0

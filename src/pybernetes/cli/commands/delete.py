"""p8s delete"""

import argparse

from pybernetes.cli.console import FAILED, NOT_RUNNING, Console, Failure
from pybernetes.cli.profiles import add_profile, existing
from pybernetes.cluster.profile import list_profiles

EXAMPLES = """examples:
  sudo p8s delete
  sudo p8s delete --profile ci
  sudo p8s delete --all"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument("--all", action="store_true", help="every cluster of this machine")


def run(arguments: argparse.Namespace, console: Console) -> int:
    profiles = list_profiles() if arguments.all else [existing(arguments)]
    from pybernetes.cluster.delete import DeleteError, delete

    for profile in profiles:
        try:
            delete(profile)
        except DeleteError as error:
            raise Failure([(str(error), f"p8s delete --profile {profile.name}")], FAILED) from error
        console.step("🧹", f"cluster {profile.name!r} deleted")
    if not profiles:
        console.line("there is no cluster")
        return NOT_RUNNING
    return 0

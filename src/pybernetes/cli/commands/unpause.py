"""p8s unpause"""

import argparse

from pybernetes.cli.console import NOT_RUNNING, Console, Failure
from pybernetes.cli.profiles import add_output, add_profile, existing
from pybernetes.cluster import control
from pybernetes.cluster.lifecycle import start

EXAMPLES = """examples:
  sudo p8s unpause            containers go on where they stood, with the same processes"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Safe to repeat."""
    profile = existing(arguments)
    if control.state(profile) not in (control.PAUSED_STATE, "Running"):
        raise Failure(
            [(f"cluster {profile.name!r} is stopped, not paused", f"p8s start --profile {profile.name}")], NOT_RUNNING
        )
    if arguments.output:
        console.only_json()
    console.live("starting the control plane")
    start(profile.name, {}, lambda step: None)
    console.step("▶", f"cluster {profile.name!r} goes on")
    if arguments.output:
        console.json({"profile": profile.name, "status": "Running"})
    return 0

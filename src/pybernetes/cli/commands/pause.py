"""p8s pause"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, add_profile, existing
from pybernetes.cluster import control
from pybernetes.cluster.lifecycle import pause
from pybernetes.cluster.preferences import command

EXAMPLES = """containers stand still and keep their memory, the cluster's processes end: nothing uses a CPU.
kubectl is refused the connection until the cluster goes on.

examples:
  sudo p8s pause
  sudo p8s unpause"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Safe to repeat."""
    profile = existing(arguments)
    if not pause(profile) and control.state(profile) != control.PAUSED_STATE:
        raise control.NotRunningError(profile)
    if arguments.output:
        console.json({"profile": profile.name, "status": control.PAUSED_STATE})
        return 0
    console.step("⏸", f"cluster {profile.name!r} is paused; {command('unpause', profile.name)} lets it go on")
    return 0

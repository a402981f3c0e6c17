"""p8s autostart enable"""

import argparse

from pybernetes.cli.autostart import tell
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing
from pybernetes.cluster import autostart
from pybernetes.cluster.owner import caller

EXAMPLES = """examples:
  sudo p8s autostart enable
  sudo p8s autostart enable -p ci"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Safe to repeat."""
    profile = existing(arguments)
    changed = autostart.enable(profile, caller())
    words = f"{autostart.unit_of(profile.name)} starts cluster {profile.name!r} with this machine"
    return tell(arguments, console, words, on=True, changed=changed)

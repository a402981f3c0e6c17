"""p8s autostart enable"""

import argparse

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
    if arguments.output:
        console.json({"profile": profile.name, "autostart": True, "changed": changed})
        return 0
    how = f"{autostart.unit_of(profile.name)} starts cluster {profile.name!r} with this machine"
    console.line(how + ("" if changed else ", as before"))
    return 0

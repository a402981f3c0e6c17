"""p8s autostart disable"""

import argparse

from pybernetes.cli.autostart import tell
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing
from pybernetes.cluster import autostart
from pybernetes.cluster.preferences import command

EXAMPLES = """examples:
  sudo p8s autostart disable"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Safe to repeat."""
    profile = existing(arguments)
    changed = autostart.disable(profile.name)
    words = f"cluster {profile.name!r} starts when it is told to: {command('start', profile.name)}"
    return tell(arguments, console, words, on=False, changed=changed)

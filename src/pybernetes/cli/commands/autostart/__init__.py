"""p8s autostart: whether a cluster comes up with the machine."""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.groups import add_verbs, run_verb
from pybernetes.cli.profiles import add_profile

EXAMPLES = """what is done is a unit of systemd: systemctl status pybernetes-PROFILE shows what became of it.
At shutdown the pods end gracefully. p8s status says whether it is on; p8s delete takes it away.

examples:
  sudo p8s autostart enable
  sudo p8s autostart disable"""

VERBS = {
    "enable": "have the cluster start when the machine does",
    "disable": "leave starting to p8s start; a cluster that runs goes on",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_verbs(parser, __name__, VERBS)


def run(arguments: argparse.Namespace, console: Console) -> int:
    return run_verb(arguments, __name__, console)

"""p8s addons: what a cluster has beside Kubernetes itself."""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.groups import add_verbs, run_verb
from pybernetes.cli.profiles import add_profile

EXAMPLES = """everything is built in and on from the start; what you want to install in another way can be switched off

examples:
  sudo p8s addons list
  sudo p8s addons disable ingress       before installing another ingress controller
  sudo p8s addons disable metrics       before installing metrics-server by its chart
  sudo p8s addons enable ingress"""

VERBS = {
    "list": "show what there is, and whether it is on",
    "enable": "switch on what was switched off",
    "disable": "switch off what something else is to do",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_verbs(parser, __name__, VERBS)


def run(arguments: argparse.Namespace, console: Console) -> int:
    return run_verb(arguments, __name__, console)

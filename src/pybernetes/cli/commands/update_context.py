"""p8s update-context"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, add_profile, existing

EXAMPLES = """examples:
  sudo p8s update-context             after the kubeconfig was lost, or its entry was changed
  sudo KUBECONFIG=/tmp/k p8s update-context --profile ci"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    profile = existing(arguments)
    from pybernetes.cluster import kubeconfig

    path = kubeconfig.add_to_user(profile, kubeconfig.caller())
    if arguments.output:
        console.json({"profile": profile.name, "context": profile.name, "kubeconfig": str(path)})
        return 0
    console.step("⎈", f"kubectl uses context {profile.name!r} of {path}")
    return 0

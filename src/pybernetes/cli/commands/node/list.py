"""p8s node list"""

import argparse
from typing import Any

from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing
from pybernetes.cluster import control
from pybernetes.cluster.profile import Profile
from pybernetes.cluster.readiness import Probe

EXAMPLES = """examples:
  sudo p8s node list
  sudo p8s node list -o json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_output(parser)


def collect(profile: Profile) -> list[dict[str, Any]]:
    """Each node of this machine, and what the API server says of it."""
    running = control.is_running(profile)
    ready = Probe(profile).nodes() if running else {}
    found = [
        {
            "name": node.name,
            "status": "Stopped" if node.stopped or not ready else "Ready" if ready.get(node.name) else "NotReady",
            "address": node.address,
            "podCIDR": node.pod_cidr,
        }
        for node in profile.nodes
    ]
    return [*found, *(simulated_of(profile) if running and profile.simulates else [])]


def simulated_of(profile: Profile) -> list[dict[str, Any]]:
    from pybernetes.cluster.simulated import listed, said_of

    return [said_of(node) for node in listed(Probe(profile)).values()]


def run(arguments: argparse.Namespace, console: Console) -> int:
    nodes = collect(existing(arguments))
    if arguments.output == "json":
        console.json(nodes)
    else:
        console.table(
            ["NAME", "STATUS", "ADDRESS", "PODS"], [[str(value) for value in node.values()] for node in nodes]
        )
    return 0

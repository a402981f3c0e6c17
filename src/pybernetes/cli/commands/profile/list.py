"""p8s profile list"""

import argparse

from pybernetes import API_LEVEL
from pybernetes.cli.console import Console, typed
from pybernetes.cli.profiles import whose
from pybernetes.cluster import control, profile
from pybernetes.cluster.errors import ClusterError

EXAMPLES = """examples:
  sudo p8s profile list
  p8s profile list -o name"""

HEADER = ["NAME", "STATUS", "NODES", "API SERVER", "PODS", "SERVICES", "KUBERNETES"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=["json", "name"], help="print as JSON, or the names only")


def describe(name: str) -> dict[str, str | int]:
    """What is known of a cluster on disk and by its supervisor; one whose settings are damaged is said to be."""
    try:
        found = profile.load(name)
    except ClusterError as error:
        return {"name": name, "status": "Damaged", "cause": str(error)}
    settings = found.settings
    return {
        "name": name,
        "status": control.state(found),
        "nodes": len(found.nodes),
        "server": found.server,
        "podCIDR": settings.pod_cidr,
        "serviceCIDR": settings.service_cidr,
        "kubernetes": f"v{API_LEVEL}",
    }


def run(arguments: argparse.Namespace, console: Console) -> int:
    names = profile.profile_names()
    if arguments.output == "name":
        for name in names:
            console.line(name)
        return 0
    found = [describe(name) for name in names]
    if arguments.output == "json":
        console.json(found)
        return 0
    if not found:
        console.line(typed(f"there is no cluster{whose()}; sudo p8s start makes one"))
        return 0
    keys = ("name", "status", "nodes", "server", "podCIDR", "serviceCIDR", "kubernetes")
    console.table(HEADER, [[str(each.get(key, "-")) for key in keys] for each in found])
    return 0

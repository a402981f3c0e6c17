"""p8s tunnel"""

import argparse

from pybernetes.cli.commands.service import HEADER
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, add_profile
from pybernetes.cluster import urls
from pybernetes.cluster.door import open_door

EXAMPLES = """examples:
  p8s tunnel           shows where LoadBalancer services answer, and ends
  p8s tunnel -o json"""

NOT_NEEDED = (
    "no tunnel is needed: the address of a LoadBalancer service is routed to the cluster on this machine,"
    " and answers as soon as its pods do"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    services = open_door(arguments.profile).items("/api/v1/services")
    found = [entry for each in services for entry in urls.entries(each) if entry.kind == "LoadBalancer"]
    if arguments.output == "json":
        console.json(found)
        return 0
    console.line(NOT_NEEDED)
    if found:
        console.box(HEADER, [[each.namespace, each.name, each.target_port, each.url or each.note] for each in found])
    else:
        console.line("there is no LoadBalancer service; kubectl expose deployment NAME --type=LoadBalancer makes one")
    return 0

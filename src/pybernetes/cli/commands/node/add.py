"""p8s node add"""

import argparse
from collections.abc import Sequence

from pybernetes.cli.arguments import count, seconds
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_output, existing
from pybernetes.cluster import control
from pybernetes.cluster.preferences import command
from pybernetes.cluster.profile import Profile

EXAMPLES = """examples:
  sudo p8s node add
  sudo p8s node add worker
  sudo p8s node add --count 3
  sudo p8s node add --simulated 100     nodes without machines, tainted simulated.pybernetes.io/node"""

STEPS = {"made": ("📦", "node {} added"), "Ready": ("🚀", "node {} Ready")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("name", nargs="?", default="", help="what to call it (default: PROFILE-m02, -m03 ...)")
    which.add_argument("--count", type=count, default=1, metavar="N", help="how many to add (default: %(default)s)")
    which.add_argument("--simulated", type=count, metavar="N", help="how many simulated nodes to add")
    parser.add_argument("--wait", type=seconds, default=60.0, metavar="SECONDS", help="how long to wait for Ready")
    add_output(parser)


def add_simulated(profile: str, arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cluster import simulated

    count = arguments.count if arguments.simulated is None else arguments.simulated
    names = simulated.add(profile, count, wait_seconds=arguments.wait)
    if names:
        shown = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        console.step("🎭", f"simulated nodes Ready: {len(names)} ({shown})")
    return told(names, arguments, console)


def told(names: Sequence[str], arguments: argparse.Namespace, console: Console) -> int:
    if arguments.output:
        console.json({"added": list(names)})
    return 0


def run(arguments: argparse.Namespace, console: Console) -> int:
    profile = existing(arguments)
    if arguments.output:
        console.only_json()
    if arguments.simulated is not None or profile.settings.simulated:
        return add_simulated(profile.name, arguments, console)
    return add_machines(profile, arguments, console)


def add_machines(profile: Profile, arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cluster import nodes
    from pybernetes.cluster.node import Node

    added: dict[str, Node] = {}

    def report(step: str, node: Node) -> None:
        added[node.name] = node
        emoji, text = STEPS[step]
        console.step(emoji, text.format(repr(node.name)))

    nodes.add(profile.name, report, count=arguments.count, called=arguments.name, wait_seconds=arguments.wait)
    if not control.is_running(profile):
        words, verb = control.WORDS[control.state(profile)]
        console.note(
            f"cluster {profile.name!r} {words}; {command(verb, profile.name)} brings it back with its new nodes"
        )
    return told(list(added), arguments, console)

"""p8s status"""

import argparse
import json
from typing import Any, cast

from pybernetes.cli.console import NOT_RUNNING, Console
from pybernetes.cli.profiles import add_output, add_profile, existing
from pybernetes.cluster import control
from pybernetes.cluster.profile import Profile
from pybernetes.cluster.readiness import Probe

EXAMPLES = """examples:
  sudo p8s status
  sudo p8s status -o json"""

MANY = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)


def collect(profile: Profile) -> dict[str, Any]:
    """What is known of a cluster from outside: its supervisor, its API server, its nodes."""
    running = control.is_running(profile)
    components = control.request(profile, "status")["components"] if running else []
    probe = Probe(profile)
    status, body = probe.get("/readyz") if running else (0, b"")
    return {
        "profile": profile.name,
        "running": running,
        "server": profile.server,
        "api": "ok" if status == 200 else body.decode(errors="replace").strip() or "unreachable",
        "nodes": probe.nodes() if status == 200 else {},
        "components": components,
        "ingress": ingress_of(profile) if any(c["name"] == "ingress" and c["pid"] for c in components) else {},
    }


def ingress_of(profile: Profile) -> dict[str, list[str]]:
    """Where Ingresses are served (`urls`), and what is in the way of it (`taken`); empty while there are none."""
    try:
        return cast(dict[str, list[str]], json.loads(profile.ingress_report.read_text()))
    except (OSError, ValueError):
        return {}


def run(arguments: argparse.Namespace, console: Console) -> int:
    profile = existing(arguments)
    found = collect(profile)
    if arguments.output == "json":
        console.json(found)
    else:
        show(found, console)
    return 0 if found["running"] else NOT_RUNNING


def show(found: dict[str, Any], console: Console) -> None:
    if not found["running"]:
        console.line(f"cluster {found['profile']!r} is stopped; p8s start brings it back")
        return
    console.line(f"cluster {found['profile']!r} at {found['server']}: {found['api']}")
    show_nodes(found["nodes"], console)
    if found["ingress"]:
        console.line(f"ingress at {', '.join(found['ingress']['urls'])}")
        for sentence in found["ingress"]["taken"]:
            console.line(f"ingress: {sentence}")
    rows = [
        [component["name"], process_of(component), str(component["restarts"]), f"{component['uptime']:.0f}s"]
        for component in found["components"]
    ]
    console.table(["COMPONENT", "PID", "RESTARTS", "UP"], rows)


def show_nodes(nodes: dict[str, bool], console: Console) -> None:
    """Each, or how many of each kind where they are many."""
    if len(nodes) > MANY:
        ready = sum(nodes.values())
        console.line(f"{len(nodes)} nodes: {ready} Ready, {len(nodes) - ready} NotReady")
        return
    for name, is_ready in nodes.items():
        console.line(f"node {name}: {'Ready' if is_ready else 'NotReady'}")


def process_of(component: dict[str, Any]) -> str:
    """Its pid; what is started by its first connection has none while nobody uses it."""
    return str(component["pid"] or ("on demand" if "listens" in component else "-"))

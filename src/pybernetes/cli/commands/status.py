"""p8s status"""

import argparse
import json
from typing import Any, cast

from pybernetes.cli.console import FAILED, NOT_RUNNING, Console, typed
from pybernetes.cli.profiles import add_output, add_profile, existing
from pybernetes.cluster import autostart, control, preflight, profile, registry
from pybernetes.cluster.door import Door, DoorError, access, is_stopped_roots
from pybernetes.cluster.preferences import command
from pybernetes.cluster.profile import Profile
from pybernetes.cluster.readiness import says_ready

EXAMPLES = """exit codes: 0 all is well, 1 it runs, but the API or a node is not ready, 3 it is stopped or paused

examples:
  sudo p8s status
  p8s status                of a cluster that was started through sudo: what its API server says
  sudo p8s status -o json"""

MANY = 20
SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)


def collect(found: Profile) -> dict[str, Any]:
    """What is known of a cluster from outside: its supervisor, its API server, its nodes."""
    state, components = control.state(found), []
    problems = [problem] if (problem := preflight.check_room(found, preflight.LOW)) is not None else []
    if state == "Running":
        try:
            components = control.request(found, "status", timeout=SECONDS)["components"]
        except control.NotRunningError:  # somebody has stopped it meanwhile
            state = control.state(found)
        except control.NotAnsweringError as error:  # the cluster may do without it
            problems += error.problems
    asked = ask(found.name) if state == "Running" else {"api": "unreachable", "nodes": {}}
    return {
        "profile": found.name,
        "status": state,
        "running": state == "Running",
        "server": found.server,
        **asked,
        "stopped": [node.name for node in found.nodes if node.stopped],
        "disabled": list(found.settings.disabled_addons),
        "autostart": autostart.is_enabled(found.name),
        "problems": problems,
        "components": components,
        "registry": "" if found.settings.simulated else registry.host(found),
        "ingress": ingress_of(found) if any(c["name"] == "ingress" and c["pid"] for c in components) else {},
    }


def ingress_of(profile: Profile) -> dict[str, list[str]]:
    """Where Ingresses are served (`urls`), and what is in the way of it (`taken`); empty while there are none."""
    try:
        return cast(dict[str, list[str]], json.loads(profile.ingress_report.read_text()))
    except (OSError, ValueError):
        return {}


def ask(name: str) -> dict[str, Any]:
    """What the API server says. Raises DoorError if there is no way in for the caller."""
    door = Door(access(name))
    try:
        door.text("/readyz")
        return {
            "api": "ok",
            "nodes": {node["metadata"]["name"]: says_ready(node) for node in door.items("/api/v1/nodes")},
        }
    except DoorError as error:
        return {"api": str(error) if error.code else "unreachable", "nodes": {}}


def from_outside(name: str) -> dict[str, Any]:
    """Of a cluster that is somebody else's, by the caller's kubeconfig."""
    asked, server = ask(name), access(name).server
    running = asked["api"] != "unreachable"
    state = "Running" if running else "Stopped" if is_stopped_roots(name) else "Unknown"
    return {
        "profile": name,
        "status": state,
        "running": running,
        "server": server,
        **asked,
        "stopped": [],
        "disabled": [],
        "autostart": False,
        "problems": [],
        "components": [],
        "registry": "",
        "ingress": {},
    }


def run(arguments: argparse.Namespace, console: Console) -> int:
    name = arguments.profile
    console.live("asking the cluster")
    try:
        found = collect(existing(arguments)) if name in profile.profile_names() else from_outside(name)
    except DoorError:
        found = collect(existing(arguments))
    if arguments.output == "json":
        console.json(found)
    else:
        show(found, console)
    return code_of(found)


def code_of(found: dict[str, Any]) -> int:
    if not found["running"]:
        return NOT_RUNNING
    return 0 if found["api"] == "ok" and all(found["nodes"].values()) and not found["problems"] else FAILED


def show(found: dict[str, Any], console: Console) -> None:
    name = found["profile"]
    if not found["running"]:
        words, verb = control.WORDS.get(found["status"], ("does not answer", "start"))
        sudo = "sudo " if profile.is_roots(name) else ""
        console.line(typed(f"cluster {name!r} {words}; {sudo}{command(verb, name)} brings it back"))
        return
    console.line(f"cluster {name!r} at {found['server']}: {found['api']}")
    for problem in found["problems"]:
        console.line(f"{problem.cause}; {problem.next_step}")
    # The cluster notices only after a while that a stopped node is silent.
    show_nodes({node: ready for node, ready in found["nodes"].items() if node not in found["stopped"]}, console)
    for node in found["stopped"]:
        console.line(typed(f"node {node} is stopped; sudo {command(f'node start {node}', name)} brings it back"))
    for addon in found["disabled"]:
        console.line(typed(f"addon {addon} is disabled; sudo {command(f'addons enable {addon}', name)} brings it back"))
    if found["autostart"]:
        console.line("it starts with this machine")
    if found["registry"]:
        console.line(f"registry at {found['registry']}, from pods {registry.SERVICE_HOST}")
    if found["ingress"]:
        console.line(f"ingress at {', '.join(found['ingress']['urls'])}")
        for sentence in found["ingress"]["taken"]:
            console.line(f"ingress: {sentence}")
    if found["components"]:
        console.table(["COMPONENT", "PID", "RESTARTS", "UP"], [row_of(each) for each in found["components"]])


def row_of(component: dict[str, Any]) -> list[str]:
    up = duration(component["uptime"]) if component["pid"] else "-"
    return [component["name"], process_of(component), str(component["restarts"]), up]


def duration(seconds: float) -> str:
    """Its two largest units, as kubectl shows ages: 42s, 5m7s, 3h12m, 2d4h."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{value}{unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")) if value]
    return "".join(parts[:2]) or "0s"


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

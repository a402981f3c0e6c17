"""p8s start"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pybernetes import __version__
from pybernetes.cli.console import FAILED, Console, Failure, camel, plain
from pybernetes.cli.profiles import add_output, add_profile, preferred
from pybernetes.cluster import options, preferences, profile
from pybernetes.cluster.lifecycle import Started, start

EXAMPLES = """a file for --config has the flags' names as keys (what is said by a flag goes first, then the file, then p8s config):
  nodes: 3
  wait: 120
  registry-mirror:
    docker.io: http://127.0.0.1:5000

examples:
  sudo p8s start
  sudo p8s start --nodes 3
  sudo p8s start --profile ci --api-port 7443
  sudo p8s start --config p8s.yaml --wait=false
  sudo p8s start --foreground           as the first process of a container, or under another supervisor
  sudo p8s start --dry-run              what would be made and changed here, without making it
  sudo p8s start --store etcd://127.0.0.1:2379
  sudo p8s start --registry-mirror docker.io=http://127.0.0.1:5000
  sudo p8s start --extra-config controller-manager.horizontal-pod-autoscaler-sync-period=5s
  p8s start --simulated --nodes 100     no root, no containers: pods go through stages in a table
  p8s start --simulated --stages stages.yaml"""

STEPS = {
    "waiting": ("⏳", "waiting for another p8s command on this cluster"),
    "stopping": ("⏳", "waiting for the cluster to end, which somebody has stopped"),
    "certificates": ("🔑", "certificates"),
    "control plane": ("🧠", "control plane ready"),
    "node": ("🚀", "node Ready"),
    "nodes": ("🚀", "all nodes Ready"),
}
UNDER_WAY = {
    "": "signing certificates",
    "certificates": "starting the control plane",
    "control plane": "waiting for the nodes",
}
"""What goes on once a step is done."""

WAIT_SECONDS = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser, filled=False)
    add_output(parser)
    parser.add_argument("--config", type=Path, metavar="FILE", help="options in YAML")
    parser.add_argument(
        "--api-port", metavar="PORT", help="of the API server on 127.0.0.1 (default: 6443, or next free)"
    )
    parser.add_argument("-n", "--nodes", metavar="N", help="how many nodes the cluster has on this machine")
    parser.add_argument("--store", help="where objects are kept: sqlite (default) or etcd://HOST:PORT[,HOST:PORT...]")
    parser.add_argument("--oci-runtime", choices=options.RUNTIMES, help="what executes containers")
    parser.add_argument(
        "--registry-mirror", action="append", metavar="REGISTRY=URL", help="pull a registry's images from there"
    )
    parser.add_argument("--insecure-registry", action="append", metavar="HOST[:PORT]", help="a registry without TLS")
    parser.add_argument(
        "--extra-config",
        action="append",
        metavar="COMPONENT.FLAG=VALUE",
        help="a flag of apiserver, controller-manager, scheduler or kubelet",
    )
    parser.add_argument("--wait", metavar="SECONDS", help=f"for Ready; false: not at all (default: {WAIT_SECONDS:.0f})")
    parser.add_argument(
        "--foreground", action="store_true", help="stay until the cluster ends; SIGTERM and Ctrl-C stop it gracefully"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be made, and make nothing")
    add_simulation(parser)


def add_simulation(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("simulated nodes (no root, any system)")
    group.add_argument(
        "--simulated", action="store_true", default=None, help="the whole control plane, with nodes without machines"
    )
    group.add_argument("--stages", metavar="FILE", help="what pods and nodes are to do: see docs/simulated.md")


def resolve(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every option that has a value: by flag, else by file, else by preference. Raises OptionError.

    Preferences about a cluster are for one that is yet to be made.
    """
    flags = {each.name: getattr(arguments, each.name.replace("-", "_")) for each in options.OPTIONS}
    given = {name: options.read(name, value) for name, value in flags.items() if value is not None}
    if arguments.config:
        given = {**options.from_file(arguments.config), **given}
    given.setdefault("profile", preferred())
    kept = preferences.load()
    if given["profile"] in profile.profile_names():
        kept = {name: value for name, value in kept.items() if not options.option(name).setting and name == "wait"}
    return {**options.read_all(kept, preferences.path()), **given}


def changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the options name. Raises Failure for rules that cannot be used."""
    found = options.settings(given)
    if "stages" in given:
        found["stages"] = read_stages(Path(given["stages"]))
    if given.get("simulated"):
        return found | {"simulated": True, "simulated_nodes": given.get("nodes", 1)}
    return found | ({"nodes": given["nodes"]} if "nodes" in given else {})


def read_stages(file: Path) -> str:
    """The rules as they are written, once they have been understood."""
    from pybernetes.simulator.parse import StagesError
    from pybernetes.simulator.rules import parse

    try:
        text = file.read_text()
        parse(text)
    except (StagesError, UnicodeDecodeError) as error:
        raise Failure([(f"{file}: {error}", "docs/simulated.md shows what can stand there")]) from error
    return text


def run(arguments: argparse.Namespace, console: Console, *, again: bool = False) -> int:
    given = resolve(arguments)
    name, wanted = given["profile"], changes(given)
    if arguments.dry_run:
        return show_plan(name, wanted, arguments.output == "json", console)
    if arguments.output == "json":
        console.only_json()
    console.step("✨", f"pybernetes {__version__}, cluster {name!r}")
    console.live(UNDER_WAY[""])

    def report(step: str) -> None:
        if step in STEPS:
            console.step(*STEPS[step if step != "node" or is_one(name) else "nodes"])
        elif step != "kubeconfig":
            console.note(step)
        if step in UNDER_WAY:
            console.live(UNDER_WAY[step])

    started = start(name, wanted, report, wait_seconds=given.get("wait", WAIT_SECONDS), again=again)
    if started.already_running and "stages" in given:
        console.note("it was running already, by the rules that it has; to change them: p8s restart --stages FILE")
    console.step("⎈", f"kubectl uses context {name!r} of {started.kubeconfig}")
    if arguments.output == "json":
        console.json(as_json(name, started))
    return stay(name, console) if arguments.foreground else 0


def stay(name: str, console: Console) -> int:
    """In the foreground, until the cluster has ended."""
    from pybernetes.cluster.foreground import attend
    from pybernetes.cluster.lifecycle import stop

    found = profile.load(name)
    if attend(found):
        console.live(f"ending the pods of {name!r}")
        stop(found)
    console.step("🛑", f"cluster {name!r} has ended")
    return 0


def is_one(name: str) -> bool:
    """Whether the cluster has one node only."""
    found = profile.load(name)
    return len(found.nodes) + found.settings.simulated_nodes == 1


def as_json(name: str, started: Started) -> dict[str, Any]:
    found = profile.load(name)
    return {
        "profile": name,
        "alreadyRunning": started.already_running,
        "server": found.server,
        "kubeconfig": str(started.kubeconfig),
        "context": name,
        "nodes": [node.name for node in found.nodes],
        "seconds": round(started.seconds, 3),
    }


def show_plan(name: str, wanted: Mapping[str, Any], as_json: bool, console: Console) -> int:
    """What a start would do; fails as it would."""
    from pybernetes.cluster.dryrun import plan

    found = plan(name, wanted)
    if as_json:
        settings = {camel(setting): value for setting, value in found.settings.items()}
        console.json({**plain(found), "settings": settings})
        return FAILED if found.problems else 0
    if found.status == "Running":
        console.line(f"cluster {name!r} runs already: nothing would be changed")
    for line in found.makes:
        console.line(f"would make: {line}")
    if found.problems:
        raise Failure([(problem.cause, problem.next_step) for problem in found.problems])
    return 0

"""p8s start"""

import argparse
from pathlib import Path
from typing import Any

from pybernetes import __version__
from pybernetes.cli.console import Console, Failure
from pybernetes.cli.profiles import add_profile, chosen
from pybernetes.cluster.lifecycle import start

EXAMPLES = """examples:
  sudo p8s start
  sudo p8s start --nodes 3
  sudo p8s start --profile ci --api-port 7443
  sudo p8s start --store etcd://127.0.0.1:2379
  sudo p8s start --registry-mirror docker.io=http://127.0.0.1:5000
  p8s start --simulated --nodes 100     no root, no containers: pods go through stages in a table
  p8s start --simulated --stages stages.yaml"""

STEPS = {
    "waiting": ("⏳", "waiting for another p8s command on this cluster"),
    "certificates": ("🔑", "certificates"),
    "control plane": ("🧠", "control plane ready"),
    "node": ("🚀", "nodes Ready"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument(
        "--api-port", type=int, help="port of the API server on 127.0.0.1 (default: 6443, or next free)"
    )
    parser.add_argument("--nodes", type=int, metavar="N", help="how many nodes the cluster has on this machine")
    parser.add_argument("--store", help="where objects are kept: sqlite (default) or etcd://HOST:PORT[,HOST:PORT...]")
    parser.add_argument("--oci-runtime", choices=["auto", "builtin", "runc", "crun"], help="what executes containers")
    parser.add_argument(
        "--registry-mirror", action="append", metavar="REGISTRY=URL", help="pull a registry's images from there"
    )
    parser.add_argument("--insecure-registry", action="append", metavar="HOST[:PORT]", help="a registry without TLS")
    add_simulation(parser)
    parser.add_argument("--wait", type=float, default=60.0, metavar="SECONDS", help="how long to wait for Ready")


def add_simulation(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("simulated nodes (no root, any system)")
    group.add_argument("--simulated", action="store_true", help="the whole control plane, with nodes without machines")
    group.add_argument(
        "--stages", type=Path, metavar="FILE", help="what pods and nodes are to do: see docs/simulated.md"
    )


def changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that this call names. Raises Failure for rules that cannot be used."""
    given = {
        "simulated": arguments.simulated or None,
        "stages": read_stages(arguments.stages) if arguments.stages else None,
        "simulated_nodes": (arguments.nodes or 1) if arguments.simulated else None,
        "api_port": arguments.api_port,
        "nodes": None if arguments.simulated else arguments.nodes,
        "store": arguments.store,
        "oci_runtime": arguments.oci_runtime,
        "registry_mirrors": arguments.registry_mirror,
        "insecure_registries": arguments.insecure_registry,
    }
    return {name: value for name, value in given.items() if value is not None}


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
    name = chosen(arguments).name
    console.step("✨", f"pybernetes {__version__}, cluster {name!r}")

    def report(step: str) -> None:
        if step in STEPS:
            console.step(*STEPS[step])

    started = start(name, changes(arguments), report, wait_seconds=arguments.wait, again=again)
    console.step("⎈", f"kubectl uses context {name!r} of {started.kubeconfig}")
    return 0

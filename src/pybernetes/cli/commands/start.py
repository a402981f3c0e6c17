"""p8s start"""

import argparse
from typing import Any

from pybernetes import __version__
from pybernetes.cli.console import Console
from pybernetes.cli.profiles import add_profile, chosen
from pybernetes.cluster.lifecycle import start

EXAMPLES = """examples:
  sudo p8s start
  sudo p8s start --profile ci --api-port 7443
  sudo p8s start --store etcd://127.0.0.1:2379
  sudo p8s start --registry-mirror docker.io=http://127.0.0.1:5000"""

STEPS = {
    "waiting": ("⏳", "waiting for another p8s command on this cluster"),
    "certificates": ("🔑", "certificates"),
    "control plane": ("🧠", "control plane ready"),
    "node": ("🚀", "node Ready"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument(
        "--api-port", type=int, help="port of the API server on 127.0.0.1 (default: 6443, or next free)"
    )
    parser.add_argument("--store", help="where objects are kept: sqlite (default) or etcd://HOST:PORT[,HOST:PORT...]")
    parser.add_argument("--oci-runtime", choices=["auto", "builtin", "runc", "crun"], help="what executes containers")
    parser.add_argument(
        "--registry-mirror", action="append", metavar="REGISTRY=URL", help="pull a registry's images from there"
    )
    parser.add_argument("--insecure-registry", action="append", metavar="HOST[:PORT]", help="a registry without TLS")
    parser.add_argument("--wait", type=float, default=60.0, metavar="SECONDS", help="how long to wait for Ready")


def changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that this call names."""
    given = {
        "api_port": arguments.api_port,
        "store": arguments.store,
        "oci_runtime": arguments.oci_runtime,
        "registry_mirrors": arguments.registry_mirror,
        "insecure_registries": arguments.insecure_registry,
    }
    return {name: value for name, value in given.items() if value is not None}


def run(arguments: argparse.Namespace, console: Console, *, again: bool = False) -> int:
    name = chosen(arguments).name
    console.step("✨", f"pybernetes {__version__}, cluster {name!r}")

    def report(step: str) -> None:
        if step in STEPS:
            console.step(*STEPS[step])

    started = start(name, changes(arguments), report, wait_seconds=arguments.wait, again=again)
    console.step("⎈", f"kubectl uses context {name!r} of {started.kubeconfig}")
    return 0

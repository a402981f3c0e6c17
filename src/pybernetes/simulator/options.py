"""The simulator's flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pybernetes import flags


@dataclass(frozen=True, slots=True)
class Options:
    """See the help texts."""

    kubeconfig: str = flags.option("", "credentials for the API server", required=True)
    nodes: int = flags.option(0, "nodes to make (sim-1, sim-2, ...) in a cluster that has no simulated ones yet")
    stages: str = flags.option("", "YAML file of rules for pods and nodes")
    taint: bool = flags.option(False, "taint the nodes that are made, so that nothing lands on them by surprise")
    address: str = flags.option("127.0.0.1", "where the nodes' kubelet is served, and what their status says of it")
    port: int = flags.option(10250, "its port; another one if this is taken")
    tls_cert_file: str = flags.option("", "its certificate; without one nothing is served")
    tls_private_key_file: str = ""
    client_ca_file: str = flags.option("", "who signs the API server's client certificate")
    v: int = flags.option(0, "verbosity of the log")


def parse(arguments: Sequence[str]) -> Options:
    """Read the flags; exits with a message about a wrong one."""
    return flags.parse(
        Options, "p8s simulator", arguments, "Nodes without machines: pods go through stages in a table."
    )

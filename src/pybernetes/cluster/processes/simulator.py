"""The simulator of a profile's nodes without machines."""

from __future__ import annotations

from pybernetes.cluster.profile import Profile
from pybernetes.process import collect_seldom, run_until_terminated
from pybernetes.simulator.main import run
from pybernetes.simulator.options import parse
from pybernetes.simulator.rules import parse as parse_rules


def arguments(profile: Profile) -> list[str]:
    """The flags that it is started with."""
    pki, settings = profile.certificates, profile.settings
    return [
        f"--kubeconfig={profile.kubeconfig('simulator')}",
        f"--nodes={settings.simulated_nodes}",
        f"--taint={'false' if settings.simulated else 'true'}",
        f"--port={KUBELET_PORT + settings.index}",
        f"--tls-cert-file={pki / 'simulator-server.crt'}",
        f"--tls-private-key-file={pki / 'simulator-server.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
    ]


KUBELET_PORT = 10350
"""On 127.0.0.1, counted up by profile: beside the port that a kubelet of this machine has on all its addresses."""


def main(profile: Profile) -> None:
    """Run until SIGTERM."""
    options, rules = parse(arguments(profile)), parse_rules(profile.settings.stages)
    collect_seldom()
    run_until_terminated("simulator", lambda: run(options, rules))

"""What a node's agent is started with."""

from pathlib import Path

import pytest

from pybernetes.cluster.membership import grown
from pybernetes.cluster.processes import agent
from pybernetes.cluster.profile import Profile, Settings
from pybernetes.dns.forward import Resolvers
from pybernetes.kubelet.options import parse


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return grown(Profile("lab", Settings(), tmp_path / "state", tmp_path / "run"), 2)


def test_a_further_node_asks_the_first_for_names(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own resolver may be on loopback, which is another one in another network namespace."""
    lines = ["nameserver 127.0.0.53", "search example.org", "options edns0"]
    monkeypatch.setattr(agent, "_machine_resolv_conf", lambda: lines)
    second = profile.nodes[1]
    agent.write_resolv_conf(second)
    assert second.resolv_conf.read_text() == "search example.org\noptions edns0\nnameserver 10.244.0.1\n"
    options = agent.dns_options(second)
    own = frozenset({options.address, options.service_address})
    assert Resolvers(Path(options.resolv_conf), own).servers() == [("10.244.0.1", 53)]
    assert parse(agent.kubelet_arguments(second)).resolv_conf == str(second.resolv_conf)


def test_nodes_share_nothing_that_is_their_own(profile: Profile) -> None:
    first, second = (parse(agent.kubelet_arguments(node)) for node in profile.nodes)
    for name in ("kubeconfig", "node_name", "node_ip", "root_dir", "pod_logs_dir", "container_runtime_endpoint",
                 "tls_cert_file", "pod_cidr", "cgroup_root", "shares_machine"):  # fmt: skip
        assert getattr(first, name) != getattr(second, name), name

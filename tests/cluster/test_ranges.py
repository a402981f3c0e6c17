"""Every profile has addresses of its own, and none that this machine has a use for."""

import itertools
import json
import socket
import struct
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from pybernetes.cluster import preflight, profile, ranges
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.membership import NodesError, grown
from pybernetes.cluster.profile import Profile, Settings

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


def table(*routes: tuple[str, str]) -> str:
    """As /proc/net/route has them."""

    def number(address: object) -> str:
        return f"{struct.unpack('=I', socket.inet_aton(str(address)))[0]:08X}"

    rows = ((link, IPv4Network(network)) for link, network in routes)
    return HEAD + "".join(
        f"{link}\t{number(net[0])}\t00000000\t0001\t0\t0\t0\t{number(net.netmask)}\t0\t0\t0\n" for link, net in rows
    )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State and routes of a machine that has none yet; the file with its routes."""
    monkeypatch.setattr(profile, "STATE", tmp_path / "state")
    monkeypatch.setattr(profile, "RUN", tmp_path / "run")
    monkeypatch.setattr(ranges, "ROUTES", tmp_path / "routes")
    (tmp_path / "routes").write_text(HEAD)
    return tmp_path / "routes"


def test_no_two_profiles_share_an_address_or_a_port() -> None:
    every = [Settings.for_index(index) for index in range(ranges.COUNT)]
    networks = sorted((IPv4Network(each) for settings in every for each in settings.ranges), key=int_of)
    assert all(first[-1] < second[0] for first, second in itertools.pairwise(networks))
    assert all(network.is_private for network in networks)
    assert len({settings.api_port for settings in every} | {settings.registry_port for settings in every}) == 2 * ranges.COUNT  # fmt: skip


def int_of(network: IPv4Network) -> int:
    return int(network[0])


def test_the_first_profiles_keep_what_they_have() -> None:
    assert [Settings.for_index(index).ranges for index in (0, 1, 11)] == [
        ("10.244.0.0/16", "10.96.0.0/12"),
        ("10.243.0.0/16", "10.112.0.0/12"),
        ("10.233.0.0/16", "10.32.0.0/12"),
    ]


def test_new_profiles_have_what_is_left(machine: Path) -> None:
    for number in range(30):
        profile.load(f"lab-{number}").save()
    assert len({json.dumps(profile.load(f"lab-{number}").settings.ranges) for number in range(30)}) == 30
    kept = profile.load("lab-3").settings
    machine.write_text(table(("eth0", "10.241.7.0/24")))
    assert profile.load("lab-3").settings == kept


def test_a_small_range_has_nodes_and_addresses_of_services() -> None:
    small = Profile("lab", Settings.for_index(12), Path("/state"), Path("/run/lab"))
    last = grown(small, 15).nodes[-1]
    assert (last.pod_cidr, small.dns_address) == ("10.224.14.0/24", "10.16.0.10")
    with pytest.raises(NodesError, match=r"10\.224\.0\.0/20 has no part left for a node"):
        grown(small, 16)


@pytest.mark.parametrize("route", ["10.244.3.0/24", "10.244.0.0/16", "10.100.0.0/16", "10.96.0.10/32"])
def test_ranges_that_lead_elsewhere_are_not_given(machine: Path, route: str) -> None:
    machine.write_text(table(("eth0", "0.0.0.0/0"), ("cni0", route)))
    assert profile.load("lab").settings.index == 1


@pytest.mark.parametrize("route", [("vpn0", "10.0.0.0/8"), ("eth0", "0.0.0.0/0"), ("p8s0", "10.244.0.0/24"), ("*", "10.244.0.0/16")])  # fmt: skip
def test_wider_routes_and_our_own_stand_in_nobodys_way(machine: Path, route: tuple[str, str]) -> None:
    machine.write_text(table(route))
    made = profile.load("lab")
    assert made.settings.index == 0
    assert preflight.check_ranges(made) is None


def test_a_profile_whose_addresses_lead_elsewhere_now_is_refused_by_name(machine: Path) -> None:
    made = profile.load("lab")
    machine.write_text(table(("cni0", "10.244.3.0/24"), ("eth1", "10.97.0.0/16")))
    problem = preflight.check_ranges(made)
    assert problem is not None
    assert problem.cause == "addresses of cluster 'lab' lead elsewhere: 10.244.3.0/24 on cni0, 10.97.0.0/16 on eth1"
    assert "--profile" in problem.next_step


def test_a_machine_without_free_ranges_says_so(machine: Path) -> None:
    machine.write_text(table(*((f"eth{index}", each) for index in range(ranges.COUNT) for each in Settings.for_index(index).ranges)))  # fmt: skip
    with pytest.raises(ClusterError, match="no ranges of addresses are free: 0 of 140"):
        profile.load("lab")


def test_a_machine_without_such_a_table(machine: Path) -> None:
    machine.unlink()
    assert profile.load("lab").settings.index == 0

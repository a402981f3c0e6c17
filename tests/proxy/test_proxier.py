"""The loop: what reaches the backend, and what a failing backend is given again."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import msgspec
import pytest

from pybernetes.aio.clock import FakeClock
from pybernetes.api.endpoints import SERVICE_NAME_LABEL, Target
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery
from pybernetes.api.types import meta_v1 as meta
from pybernetes.client.informer import Informer, Informers
from pybernetes.client.rest import Client
from pybernetes.proxy.main import Options, conntrack_settings, open_backend
from pybernetes.proxy.proxier import Proxier
from pybernetes.proxy.sysctls import set_conntrack
from pybernetes.proxy.table import PortRules


class FakeBackend:
    """Holds rules in memory."""

    def __init__(self) -> None:
        self.rules: dict[str, PortRules] = {}
        self.writes = 0
        self.whole = 0
        self.failures = 0
        self.intact = True
        self._changed = threading.Event()

    def sync(self, changed: Mapping[str, PortRules | None], *, whole: bool = False) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no")
        for name, rules in changed.items():
            if rules is None:
                self.rules.pop(name)
            else:
                self.rules[name] = rules
        self.writes += 1
        self.whole += whole
        self.intact = True

    def is_intact(self) -> bool:
        return self.intact


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        informers = self.informers = Informers(cast(Client, None), self.clock)
        self.services: Informer[v1.Service] = informers.of(v1.Service)
        self.slices: Informer[discovery.EndpointSlice] = informers.of(discovery.EndpointSlice)
        self.backend = FakeBackend()
        self.proxier = Proxier(informers, self.backend, "n1", self.clock)
        self._revision = 0

    def set(self, services: list[v1.Service], slices: list[discovery.EndpointSlice]) -> None:
        self._revision += 1
        self.services.replace(services, str(self._revision))
        self.slices.replace(slices, str(self._revision))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.proxier.run(check_seconds=30))
        yield
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def settle(self, writes: int) -> None:
        """Until the backend has taken so many syncs; syncs run in a thread."""
        async with asyncio.timeout(5):
            while self.backend.writes < writes:
                await asyncio.sleep(0.001)


def service(name: str, revision: int = 1, address: str = "10.96.0.9") -> v1.Service:
    return v1.Service(
        metadata=meta.ObjectMeta(name=name, namespace="d", uid=name, resource_version=str(revision)),
        spec=v1.ServiceSpec(cluster_ip=address, ports=[v1.ServicePort(port=80)]),
    )


def slice_of(name: str, *addresses: str, revision: int = 1) -> discovery.EndpointSlice:
    return discovery.EndpointSlice(
        metadata=meta.ObjectMeta(
            name=f"{name}-1", namespace="d", uid=name, resource_version=str(revision), labels={SERVICE_NAME_LABEL: name}
        ),
        address_type="IPv4",
        endpoints=[discovery.Endpoint(addresses=[address]) for address in addresses],
        ports=[discovery.EndpointPort(name="", port=8080)],
    )


async def test_changes_reach_the_backend() -> None:
    world = World()
    async with world.running():
        world.set([service("a"), service("b", address="10.96.0.8")], [slice_of("a", "10.244.0.5")])
        await world.settle(1)
        assert set(world.backend.rules) == {"d/a:/TCP", "d/b:/TCP"}
        assert world.backend.rules["d/a:/TCP"].endpoints == (Target("10.244.0.5", 8080),)
        world.set([service("a")], [slice_of("a", revision=2)])
        await world.settle(2)
        assert set(world.backend.rules) == {"d/a:/TCP"}
        assert world.backend.rules["d/a:/TCP"].endpoints == ()
    assert world.backend.whole == 1


async def test_nothing_is_written_before_everything_is_known() -> None:
    world = World()
    async with world.running():
        world.services.replace([service("a")], "1")
        await asyncio.sleep(0.02)
        assert world.backend.writes == 0
        world.slices.replace([], "1")
        await world.settle(1)


async def test_a_nodes_zone_counts_once_there_are_hints() -> None:
    world = World()
    own = {"field_selector": "metadata.name=n1"}
    zones = [
        discovery.Endpoint(
            addresses=[f"10.244.0.{number}"],
            hints=discovery.EndpointHints(for_zones=[discovery.ForZone(name=zone)]),
        )
        for number, zone in ((5, "a"), (6, "b"))
    ]  # fmt: skip
    async with world.running():
        world.set([service("a")], [slice_of("a", "10.244.0.5")])
        await world.settle(1)
        assert len(world.informers.all()) == 2
        world.set([service("a")], [msgspec.structs.replace(slice_of("a", revision=2), endpoints=zones)])
        await world.settle(2)
        assert len(world.backend.rules["d/a:/TCP"].endpoints) == 2
        labels = {"topology.kubernetes.io/zone": "b"}
        node = v1.Node(metadata=meta.ObjectMeta(name="n1", uid="n1", resource_version="3", labels=labels))
        world.informers.of(v1.Node, **own).replace([node], "3")
        await world.settle(3)
        assert world.backend.rules["d/a:/TCP"].endpoints == (Target("10.244.0.6", 8080),)


async def test_a_failed_sync_is_made_up_for() -> None:
    world = World()
    world.backend.failures = 2
    async with world.running():
        world.set([service("a")], [])
        for _ in range(200):
            await world.clock.advance(1)
            await asyncio.sleep(0.001)
            if world.backend.writes:
                break
        assert set(world.backend.rules) == {"d/a:/TCP"}


async def test_rules_that_somebody_removed_are_written_again() -> None:
    world = World()
    async with world.running():
        world.set([service("a")], [])
        await world.settle(1)
        world.backend.intact = False
        await world.clock.advance(31)
        await world.settle(2)
    assert world.backend.whole == 2


@pytest.mark.parametrize("options", [Options(proxy_mode="ipvs"), Options(iptables_masquerade_bit=32)])
def test_options_that_cannot_work_are_refused_by_name(options: Options) -> None:
    with pytest.raises(ValueError, match=r"proxy mode 'ipvs' is not supported|masquerade bit 32"):
        open_backend(options)


def test_conntrack_is_told_how_long_to_remember(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("established", "close_wait"):
        (tmp_path / f"nf_conntrack_tcp_timeout_{name}").write_text("60\n")
    set_conntrack(
        conntrack_settings(Options(conntrack_tcp_timeout_established=0, conntrack_tcp_be_liberal=True)), tmp_path
    )
    assert (tmp_path / "nf_conntrack_tcp_timeout_established").read_text() == "60\n"
    assert (tmp_path / "nf_conntrack_tcp_timeout_close_wait").read_text() == "3600"
    assert "nf_conntrack_tcp_be_liberal" in caplog.text

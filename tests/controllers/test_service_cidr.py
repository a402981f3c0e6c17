"""Ranges of service addresses: when one is ready, who needs it, and when it may go."""

from collections.abc import Callable
from typing import Any

import pytest

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1, networking_v1
from pybernetes.controllers import service_cidr
from pybernetes.controllers.service_cidr import FINALIZER, ServiceCIDR, is_within, needs


def cidr(name: str, *networks: str) -> ServiceCIDR:
    spec = networking_v1.ServiceCIDRSpec(cidrs=list(networks))
    return ServiceCIDR(metadata=meta_v1.ObjectMeta(name=name), spec=spec)


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        (["10.0.0.0/24"], [], False),
        (["10.0.0.0/24"], [["10.0.0.0/16"]], True),
        (["10.0.0.0/24"], [["10.0.0.0/24"]], True),
        (["10.0.0.0/24"], [["10.0.0.0/25"]], False),
        (["10.0.0.0/24", "fd00::/112"], [["10.0.0.0/16"]], False),
        (["10.0.0.0/24", "fd00::/112"], [["10.0.0.0/16"], ["fd00::/64"]], True),
    ],
)
def test_a_range_within_others(own: list[str], others: list[list[str]], expected: bool) -> None:
    assert is_within(cidr("own", *own), [cidr("other", *networks) for networks in others]) is expected


def test_an_address_needs_the_only_range_that_has_it() -> None:
    own, other = cidr("own", "10.0.0.0/24"), cidr("other", "10.0.0.0/25")
    assert needs("10.0.0.200", own, [other])
    assert not needs("10.0.0.5", own, [other])
    assert not needs("10.0.1.5", own, [])


async def test_a_range_serves_until_nothing_needs_it(
    world_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_cidr, "GRACE_SECONDS", 0.2)
    async with world_of("service-cidr-controller") as world:

        def service(name: str) -> core_v1.Service:
            spec = core_v1.ServiceSpec(cluster_ip="203.0.113.10", ports=[core_v1.ServicePort(port=80)])
            return core_v1.Service(metadata=meta_v1.ObjectMeta(name=name, namespace=world.namespace), spec=spec)

        async def ready() -> list[tuple[str, str | None]]:
            found = await world.client.get(ServiceCIDR, "more")
            return [(each.status, each.reason) for each in found.status.conditions if each.type == "Ready"]

        with pytest.raises(errors.StatusError, match="does not match the current range"):
            await world.client.create(service("early"))
        await world.client.create(cidr("more", "203.0.113.0/24"))

        async def is_ready() -> bool:
            return await ready() == [("True", "")]

        await world.eventually(is_ready)
        assert (await world.client.get(ServiceCIDR, "more")).metadata.finalizers == [FINALIZER]
        made = await world.client.create(service("web"))
        assert made.spec.cluster_ips == ["203.0.113.10"]
        await world.client.delete(ServiceCIDR, "more")

        async def is_held() -> bool:
            return await ready() == [("False", "Terminating")]

        await world.eventually(is_held)
        with pytest.raises(errors.StatusError, match="does not match the current range"):
            await world.client.create(service("late"))
        await world.client.delete(core_v1.Service, "web", world.namespace)

        async def is_gone() -> bool:
            return "more" not in [each.metadata.name for each in (await world.client.list(ServiceCIDR)).items]

        await world.eventually(is_gone)

"""LoadBalancer services: which address is chosen, as a table; given and taken back on a real API server."""

from collections.abc import Callable
from typing import Any

import pytest

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers import service_lb

RANGE = "10.244.255.0/29"


def service(*, asked: str = "", held: str = "", namespace: str = "n", **spec: Any) -> core_v1.Service:
    ingress = [core_v1.LoadBalancerIngress(ip=held)] if held else []
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="s", namespace=namespace),
        spec=core_v1.ServiceSpec(
            type="LoadBalancer", load_balancer_ip=asked or None, ports=[core_v1.ServicePort(port=80)], **spec
        ),
        status=core_v1.ServiceStatus(load_balancer=core_v1.LoadBalancerStatus(ingress=ingress)),
    )


@pytest.mark.parametrize(
    ("wanting", "used", "expected"),
    [
        (service(), [], "10.244.255.1"),
        (service(), ["10.244.255.1"], "10.244.255.2"),
        (service(held="10.244.255.5"), ["10.244.255.1"], "10.244.255.5"),
        (service(held="10.244.255.1"), ["10.244.255.1"], "10.244.255.2"),
        (service(held="192.0.2.1"), [], "10.244.255.1"),
        (service(asked="10.244.255.6"), [], "10.244.255.6"),
    ],
)
def test_an_address_is_kept_asked_for_or_the_first_free(
    wanting: core_v1.Service, used: list[str], expected: str
) -> None:
    assert service_lb.choose(RANGE, wanting, used) == expected


@pytest.mark.parametrize(
    ("wanting", "used", "reason"),
    [
        (service(asked="192.0.2.1"), [], "not in the range"),
        (service(asked="10.244.255.6"), ["10.244.255.6"], "in use"),
        (service(), [f"10.244.255.{n}" for n in range(1, 7)], "no address"),
    ],
)
def test_why_there_is_none(wanting: core_v1.Service, used: list[str], reason: str) -> None:
    with pytest.raises(service_lb.NoAddressError, match=reason):
        service_lb.choose(RANGE, wanting, used)


async def test_an_address_is_given_and_taken_back(world_of: Callable[..., Any]) -> None:
    async with world_of("service-lb-controller", load_balancer_range=RANGE) as world:
        await world.client.create(service(namespace=world.namespace))

        async def current() -> core_v1.Service:
            found: core_v1.Service = await world.client.get(core_v1.Service, "s", world.namespace)
            return found

        async def has_address() -> bool:
            return service_lb.addresses_of(await current()) == ["10.244.255.1"]

        async def is_released() -> bool:
            found = await current()
            return not service_lb.addresses_of(found) and not found.metadata.finalizers

        await world.eventually(has_address)
        assert (await current()).metadata.finalizers == [service_lb.FINALIZER]
        await world.wait_told("EnsuredLoadBalancer", "Ensured load balancer")
        await world.client.patch(core_v1.Service, "s", world.namespace, {"spec": {"type": "ClusterIP"}})
        await world.eventually(is_released)

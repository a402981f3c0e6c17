"""Backends, slices and Endpoints: the pure parts, then on a real API server."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pybernetes.api.types import core_v1, discovery_v1, meta_v1
from pybernetes.controllers.endpoints.backends import Port, backends_of
from pybernetes.controllers.endpoints.endpoints_controller import endpoints_of
from pybernetes.controllers.endpoints.mirroring import mirrored_groups
from pybernetes.controllers.endpoints.slices import (
    MANAGER,
    MIRROR_MANAGER,
    SERVICE_LABEL,
    Group,
    blank_slice,
    plan_slices,
)

replace = msgspec.structs.replace


def service(**spec: Any) -> core_v1.Service:
    spec = {"selector": {"app": "a"}, "cluster_ip": "10.96.0.9", "ip_families": ["IPv4"], **spec}
    spec.setdefault("ports", [core_v1.ServicePort(name="http", port=80, target_port="web", protocol="TCP")])
    meta = meta_v1.ObjectMeta(name="s", namespace="n", uid="su", labels={"tier": "one"})
    return core_v1.Service(metadata=meta, spec=core_v1.ServiceSpec(**spec))


def pod(
    name: str, ip: str = "10.0.0.1", *, ready: bool = True, phase: str = "Running", deleting: bool = False,
    port: int = 8080, **spec: Any,
) -> core_v1.Pod:  # fmt: skip
    container = core_v1.Container(name="c", ports=[core_v1.ContainerPort(name="web", container_port=port)])
    condition = core_v1.PodCondition(type="Ready", status=str(ready), last_transition_time="2026-01-01T00:00:00Z")
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            name=name, namespace="n", uid=name, labels={"app": "a"}, deletion_timestamp="2026-01-01T00:00:00Z" if deleting else None
        ),
        spec=core_v1.PodSpec(containers=[container], node_name="n1", **spec),
        status=core_v1.PodStatus(phase=phase, pod_ip=ip or None, conditions=[condition]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "publish", "expected"),
    [
        (pod("p"), False, (True, True, False)),
        (pod("p", ready=False), False, (False, False, False)),
        (pod("p", ready=False), True, (True, False, False)),
        (pod("p", deleting=True), False, (False, True, True)),
        (pod("p", phase="Succeeded"), False, None),
        (pod("p", ip=""), False, None),
        (pod("p", ip="fd00::1"), False, None),
    ],
)
def test_conditions_of_a_backend(found: core_v1.Pod, publish: bool, expected: tuple[bool, bool, bool] | None) -> None:
    backends = backends_of(service(publish_not_ready_addresses=publish), [found], "IPv4")
    assert [(one.ready, one.serving, one.terminating) for one in backends] == ([expected] if expected else [])


def test_ports_are_found_by_name_in_each_pod() -> None:
    ports = [
        core_v1.ServicePort(name="http", port=80, target_port="web"),
        core_v1.ServicePort(name="none", port=81, target_port="missing"),
        core_v1.ServicePort(name="fixed", port=82),
    ]
    (one, two) = backends_of(service(ports=ports), [pod("p"), pod("q", port=9090)], "IPv4")
    assert one.ports == (Port("http", 8080, "TCP"), Port("fixed", 82, "TCP"))
    assert two.ports[0].number == 9090


def test_a_pod_of_a_headless_service_has_its_hostname() -> None:
    (one,) = backends_of(service(cluster_ip="None"), [pod("p", hostname="web-0", subdomain="s")], "IPv4")
    assert one.hostname == "web-0"
    (other,) = backends_of(service(cluster_ip="None"), [pod("p", hostname="web-0", subdomain="other")], "IPv4")
    assert other.hostname is None


def endpoint(number: int, ready: bool = True) -> discovery_v1.Endpoint:
    reference = core_v1.ObjectReference(kind="Pod", name=f"p{number}", uid=f"u{number}")
    conditions = discovery_v1.EndpointConditions(ready=ready)
    return discovery_v1.Endpoint(addresses=[f"10.0.0.{number}"], target_ref=reference, conditions=conditions)


PORTS = (Port("http", 80, "TCP"),)
BLANK = blank_slice(service(), "IPv4", MANAGER, None)


def stored(plan_created: list[discovery_v1.EndpointSlice]) -> list[discovery_v1.EndpointSlice]:
    return [replace(one, metadata=replace(one.metadata, name=f"s-{number}")) for number, one in enumerate(plan_created)]


def test_endpoints_are_cut_into_slices_of_a_hundred() -> None:
    plan = plan_slices(BLANK, [], [Group(PORTS, [endpoint(number) for number in range(230)])])
    assert [len(one.endpoints) for one in plan.create] == [100, 100, 30]
    assert plan.create[0].metadata.labels[SERVICE_LABEL] == "s"
    assert plan.create[0].metadata.labels["tier"] == "one"


def test_nothing_is_written_when_nothing_changed() -> None:
    group = Group(PORTS, [endpoint(number) for number in range(120)])
    existing = stored(plan_slices(BLANK, [], [group]).create)
    plan = plan_slices(BLANK, existing, [group])
    assert (plan.create, plan.update, plan.delete) == ([], [], [])


def test_only_the_slice_of_a_changed_endpoint_is_written() -> None:
    existing = stored(plan_slices(BLANK, [], [Group(PORTS, [endpoint(number) for number in range(120)])]).create)
    changed = [endpoint(number, ready=number != 7) for number in range(120)]
    plan = plan_slices(BLANK, existing, [Group(PORTS, changed)])
    assert [one.metadata.name for one in plan.update] == ["s-0"]
    assert (plan.create, plan.delete) == ([], [])


def test_new_endpoints_fill_up_what_is_there() -> None:
    existing = stored(plan_slices(BLANK, [], [Group(PORTS, [endpoint(number) for number in range(120)])]).create)
    plan = plan_slices(BLANK, existing, [Group(PORTS, [endpoint(number) for number in range(150)])])
    assert [(one.metadata.name, len(one.endpoints)) for one in plan.update] == [("s-1", 50)]


def test_without_endpoints_one_empty_slice_stays() -> None:
    plan = plan_slices(BLANK, [], [])
    assert [(one.endpoints, one.ports) for one in plan.create] == [([], [])]
    assert plan_slices(BLANK, stored(plan.create), []).create == []


def test_pods_with_other_ports_have_slices_of_their_own() -> None:
    other = (Port("http", 81, "TCP"),)
    plan = plan_slices(BLANK, [], [Group(PORTS, [endpoint(1)]), Group(other, [endpoint(2)])])
    assert sorted(one.ports[0].port or 0 for one in plan.create) == [80, 81]
    existing = stored(plan.create)
    assert plan_slices(BLANK, existing, [Group(PORTS, [endpoint(1), endpoint(2)])]).delete == [existing[1]]


def test_endpoints_tell_ready_and_not_ready_apart_and_leave_terminating_out() -> None:
    pods = [pod("b", "10.0.0.2"), pod("a", "10.0.0.1"), pod("c", "10.0.0.3", ready=False), pod("d", "10.0.0.4", deleting=True)]  # fmt: skip
    made = endpoints_of(service(), backends_of(service(), pods, "IPv4"), None)
    assert made is not None
    (subset,) = made.subsets
    assert [address.ip for address in subset.addresses] == ["10.0.0.1", "10.0.0.2"]
    assert [address.ip for address in subset.not_ready_addresses] == ["10.0.0.3"]
    assert [(port.name, port.port) for port in subset.ports] == [("http", 8080)]
    assert endpoints_of(service(), backends_of(service(), pods, "IPv4"), made) is None


def test_hand_made_endpoints_are_mirrored_by_family() -> None:
    subset = core_v1.EndpointSubset(
        addresses=[core_v1.EndpointAddress(ip="1.2.3.4"), core_v1.EndpointAddress(ip="fd00::1")],
        not_ready_addresses=[core_v1.EndpointAddress(ip="1.2.3.5")],
        ports=[core_v1.EndpointPort(port=80)],
    )
    (group,) = mirrored_groups(core_v1.Endpoints(subsets=[subset]), "IPv4")
    assert [(one.addresses, one.conditions and one.conditions.ready) for one in group.endpoints] == [
        (["1.2.3.4"], True),
        (["1.2.3.5"], False),
    ]


def test_subsets_of_one_kind_share_their_slices() -> None:
    subsets = [
        core_v1.EndpointSubset(addresses=[core_v1.EndpointAddress(ip=ip)], ports=[core_v1.EndpointPort(port=80)])
        for ip in ("192.0.2.1", "192.0.2.2")
    ]
    groups = mirrored_groups(core_v1.Endpoints(subsets=subsets), "IPv4")
    blank = blank_slice(service(), "IPv4", MIRROR_MANAGER, None)
    made = stored(plan_slices(blank, [], groups).create)
    assert [[one.addresses[0] for one in found.endpoints] for found in made] == [["192.0.2.1", "192.0.2.2"]]
    again = plan_slices(blank, made, groups)
    assert (again.create, again.update, again.delete) == ([], [], [])


async def test_a_mirrored_slice_that_is_deleted_comes_again(world_of: Callable[..., Any]) -> None:
    async with world_of("endpointslice-mirroring-controller") as world:
        meta = meta_v1.ObjectMeta(name="s", namespace=world.namespace)
        ports = [core_v1.ServicePort(port=80)]
        await world.client.create(core_v1.Service(metadata=meta, spec=core_v1.ServiceSpec(ports=ports)))
        subset = core_v1.EndpointSubset(
            addresses=[core_v1.EndpointAddress(ip="192.0.2.1")], ports=[core_v1.EndpointPort(port=80)]
        )
        await world.client.create(core_v1.Endpoints(metadata=meta, subsets=[subset]))
        slices = world.informers.of(discovery_v1.EndpointSlice)
        await world.eventually(lambda: slices.list(world.namespace))
        (first,) = slices.list(world.namespace)
        await world.client.delete(discovery_v1.EndpointSlice, first.metadata.name, world.namespace)
        await world.eventually(
            lambda: [one for one in slices.list(world.namespace) if one.metadata.uid != first.metadata.uid]
        )  # fmt: skip


async def test_a_service_finds_its_pods(world_of: Callable[..., Any]) -> None:
    async with world_of("endpointslice-controller,endpoints-controller") as world:
        meta = meta_v1.ObjectMeta(name="s", namespace=world.namespace)
        ports = [core_v1.ServicePort(name="http", port=80, target_port=8080)]
        await world.client.create(
            core_v1.Service(metadata=meta, spec=core_v1.ServiceSpec(selector={"app": "a"}, ports=ports))
        )

        async def slices() -> list[discovery_v1.EndpointSlice]:
            found: list[discovery_v1.EndpointSlice] = (
                await world.client.list(discovery_v1.EndpointSlice, world.namespace)
            ).items
            return found

        await world.eventually(slices)
        assert [one.endpoints for one in await slices()] == [[]]
        labelled = meta_v1.ObjectMeta(name="p", namespace=world.namespace, labels={"app": "a"})
        spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")])
        made = await world.client.create(core_v1.Pod(metadata=labelled, spec=spec))
        await world.set_pod(made, ip="10.244.0.7")

        async def is_there() -> bool:
            # The empty slice that said that there are none goes after the new one has come.
            return [[end.addresses for end in one.endpoints] for one in await slices()] == [[["10.244.0.7"]]]

        await world.eventually(is_there)
        found = (await slices())[0]
        assert found.endpoints[0].conditions == discovery_v1.EndpointConditions(ready=True, serving=True, terminating=False)  # fmt: skip
        assert (found.metadata.name or "").startswith("s-")
        assert found.metadata.owner_references[0].kind == "Service"

        async def is_in_endpoints() -> bool:
            both = await world.client.get(core_v1.Endpoints, "s", world.namespace)
            return [address.ip for subset in both.subsets for address in subset.addresses] == ["10.244.0.7"]

        await world.eventually(is_in_endpoints)
        await world.client.delete(core_v1.Pod, "p", world.namespace, grace_period_seconds=0)

        async def is_empty() -> bool:
            return [one.endpoints for one in await slices()] == [[]]

        await world.eventually(is_empty)

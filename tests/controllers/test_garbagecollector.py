"""The graph of owners and the decisions of the collector, as tables; custom resources on a real API server."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pybernetes.api.scheme import Resource
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.context import Context
from pybernetes.controllers.garbagecollector.controller import GarbageCollector
from pybernetes.controllers.garbagecollector.decide import Delete, Keep, Owner, Owners, decide
from pybernetes.controllers.garbagecollector.graph import FOREGROUND, ORPHAN, Graph, Node
from pybernetes.controllers.options import Options

PODS = Resource("", "v1", "pods", "Pod", "pod", True)
MAPS = Resource("", "v1", "configmaps", "ConfigMap", "configmap", True)


def owner(uid: str, *, blocks: bool = True) -> meta_v1.OwnerReference:
    return meta_v1.OwnerReference(api_version="v1", kind="Pod", name=uid, uid=uid, block_owner_deletion=blocks)


def meta(uid: str, *owners: str, deleting: bool = False, finalizers: tuple[str, ...] = ()) -> meta_v1.ObjectMeta:
    return meta_v1.ObjectMeta(
        name=uid, namespace="n", uid=uid, owner_references=[owner(found) for found in owners], finalizers=list(finalizers),
        deletion_timestamp="2026-01-01T00:00:00Z" if deleting else None,
    )  # fmt: skip


def test_an_object_whose_owner_is_unknown_is_doubtful() -> None:
    graph = Graph()
    assert graph.put(PODS, meta("child", "parent")).unsure == ["child"]
    assert graph.put(PODS, meta("parent")).delete == []
    assert graph.put(PODS, meta("other", "parent")).unsure == []


def test_dependents_are_looked_at_when_their_owner_is_gone() -> None:
    graph = Graph()
    graph.put(PODS, meta("parent"))
    graph.put(PODS, meta("child", "parent"))
    assert graph.remove("parent").delete == ["child"]
    assert graph.get("parent") is None
    assert graph.remove("child").delete == []


def test_foreground_deletion_looks_at_dependents_and_waits_for_them() -> None:
    graph = Graph()
    graph.put(PODS, meta("parent"))
    graph.put(PODS, meta("child", "parent"))
    work = graph.put(PODS, meta("parent", deleting=True, finalizers=(FOREGROUND,)))
    assert work.delete == ["child", "parent"]
    parent = graph.get("parent")
    assert parent is not None
    assert [node.uid for node in graph.blocking(parent)] == ["child"]
    assert graph.remove("child").delete == ["parent"]
    assert graph.blocking(parent) == []


def test_an_orphaning_deletion_is_told_once() -> None:
    graph = Graph()
    graph.put(PODS, meta("parent"))
    assert graph.put(PODS, meta("parent", deleting=True, finalizers=(ORPHAN,))).orphan == ["parent"]
    assert graph.put(PODS, meta("parent", deleting=True, finalizers=(ORPHAN,))).orphan == []


def test_a_dependent_that_was_freed_no_longer_blocks() -> None:
    graph = Graph()
    graph.put(PODS, meta("parent", deleting=True, finalizers=(FOREGROUND,)))
    graph.put(PODS, meta("child", "parent"))
    work = graph.put(PODS, meta("child"))
    assert work.delete == ["parent"]


SOLID, ABSENT, WAITING = Owner.SOLID, Owner.ABSENT, Owner.WAITING


@pytest.mark.parametrize(
    ("states", "finalizers", "dependents", "expected"),
    [
        ([SOLID], (), 0, Keep()),
        ([SOLID, ABSENT], (), 0, Keep(frozenset({"o1"}))),
        ([SOLID, WAITING], (), 0, Keep(frozenset({"o1"}))),
        ([ABSENT], (), 0, Delete("Background")),
        ([ABSENT, ABSENT], (FOREGROUND,), 0, Delete("Foreground")),
        ([ABSENT], (ORPHAN,), 0, Delete("Orphan")),
        ([WAITING], (), 0, Delete("Background")),
        ([WAITING], (), 2, Delete("Foreground")),
    ],
)
def test_owners_decide(
    states: list[Owner], finalizers: tuple[str, ...], dependents: int, expected: Keep | Delete
) -> None:
    owners = {f"o{number}": state for number, state in enumerate(states)}
    node = Node("x", PODS, owners=[owner(uid) for uid in owners], finalizers=finalizers, observed=True)
    assert decide(node, Owners(owners), [Node(f"d{number}") for number in range(dependents)]) == expected


def test_a_cycle_is_unblocked() -> None:
    node = Node("x", PODS, owners=(owner("o"),), observed=True)
    deleting = Node("o", PODS, finalizers=(FOREGROUND,), is_deleting=True, observed=True)
    assert decide(node, Owners({"o": WAITING}), [deleting]) == Delete("Foreground", unblock=True)


async def make_map(world: Any, name: str, *owners: meta_v1.OwnerReference) -> core_v1.ConfigMap:
    meta = meta_v1.ObjectMeta(name=name, namespace=world.namespace, owner_references=list(owners))
    made: core_v1.ConfigMap = await world.client.create(core_v1.ConfigMap(metadata=meta))
    return made


async def test_an_object_whose_owner_never_was_goes(world_of: Callable[..., Any]) -> None:
    async with world_of("garbage-collector-controller") as world:
        lost = meta_v1.OwnerReference(api_version="v1", kind="ConfigMap", name="never", uid="never")
        await make_map(world, "lost", lost)
        await make_map(world, "free")

        async def is_swept() -> bool:
            names = {
                found.metadata.name for found in (await world.client.list(core_v1.ConfigMap, world.namespace)).items
            }
            return "lost" not in names and "free" in names

        await world.eventually(is_swept)


async def test_an_owner_that_goes_before_its_informer_saw_it_is_missed(world_of: Callable[..., Any]) -> None:
    """The collector is told of the child only, as when the owner's kind is so new that nobody watches it yet."""
    async with world_of("pod-garbage-collector-controller") as world:
        collector = GarbageCollector(Context(world.client, world.informers, Options()))
        collector._kinds["", "ConfigMap"] = MAPS
        parent = await make_map(world, "parent")
        uid = parent.metadata.uid or ""
        child = await make_map(
            world, "child", meta_v1.OwnerReference(api_version="v1", kind="ConfigMap", name="parent", uid=uid)
        )
        collector.graph.put(MAPS, child.metadata)
        await collector.attempt_to_delete(child.metadata.uid or "")
        await world.client.delete(core_v1.ConfigMap, "parent", world.namespace)
        async with asyncio.timeout(30):
            await collector.attempt_to_delete(await collector.queue.get())
        collector.queue.close()
        assert "child" not in {
            found.metadata.name for found in (await world.client.list(core_v1.ConfigMap, world.namespace)).items
        }


async def test_a_dependent_that_cannot_be_freed_keeps_no_other(world_of: Callable[..., Any]) -> None:
    async with world_of("garbage-collector-controller") as world:
        first = await make_map(world, "owner")
        reference = meta_v1.OwnerReference(
            api_version="v1", kind="ConfigMap", name="owner", uid=first.metadata.uid or ""
        )
        world.refuse("patch", "a-stubborn")
        for name in ("a-stubborn", "b"):
            await make_map(world, name, reference)
        await world.client.delete(core_v1.ConfigMap, "owner", world.namespace, propagation_policy="Orphan")

        async def owners(name: str) -> int:
            return len((await world.client.get(core_v1.ConfigMap, name, world.namespace)).metadata.owner_references)

        async def is_free() -> bool:
            return await owners("b") == 0

        await world.eventually(is_free)
        assert await owners("a-stubborn") == 1
        assert (await world.client.get(core_v1.ConfigMap, "owner", world.namespace)).metadata.deletion_timestamp
        del world.client.patch

"""Asks those who know more than the API's objects: registries, containers' logs, endpoints, a namespace's remains.

Everything here has little time and may fail: then a rule says less.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from pybernetes.api import errors
from pybernetes.api.scheme import Resource
from pybernetes.api.types import core_v1 as v1
from pybernetes.client.codec import metadata_codec
from pybernetes.client.discovery import discover
from pybernetes.client.rest import Client
from pybernetes.explain import image, service
from pybernetes.explain.pod import containers
from pybernetes.explain.snapshot import GLOBAL, Clues, Remain, Snapshot, Tags
from pybernetes.explain.targets import Target
from pybernetes.runtime.images.registry.options import RegistryOptions
from pybernetes.wire.images.reference import InvalidReferenceError, Reference, parse

SECONDS = 3.0
CONNECT_SECONDS = 0.5
LOG_LINES = 3
USUAL = (80, 8080, 3000, 5000, 8000, 443, 8443, 8081, 9090)
"""Ports that programs of the web listen on; no more than MOST."""
FEW = 3
MOST = 12
"""How many of a kind of clue are followed: an overview of a cluster in ruins has to end, too."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked about: a namespace ("" for all), and one whose remains are of interest."""

    namespace: str = ""
    dying: str = ""

    @classmethod
    def of(cls, target: Target, namespace: str) -> Scope:
        if target.kind is v1.Namespace:
            return cls(target.name, target.name)
        return cls() if target.kind in GLOBAL else cls(namespace)


async def follow(client: Client, snapshot: Snapshot, registries: RegistryOptions, scope: Scope) -> Snapshot:
    """The snapshot with clues about what is in scope."""
    pods, services = snapshot.all(v1.Pod, scope.namespace), snapshot.all(v1.Service, scope.namespace)
    async with asyncio.TaskGroup() as group:
        tags = group.create_task(_tags(pods, registries))
        logs = group.create_task(_each(_crashed(pods), lambda key: _log(client, *key)))
        doors = group.create_task(_each(_doors_here(snapshot, services), _listens))
        remains = group.create_task(_remains(client, scope.dying))
    listening = await _elsewhere(doors.result())
    return replace(snapshot, clues=Clues(tags.result(), logs.result(), listening, remains.result()))


async def _elsewhere(doors: dict[tuple[str, int], bool]) -> dict[tuple[str, int], bool]:
    """With the usual ports of addresses that have refused one."""
    refused = list(dict.fromkeys(address for (address, _), listens in doors.items() if not listens))[:FEW]
    found: dict[tuple[str, int], bool] = {}
    for address in refused:
        others = [(address, port) for port in USUAL if (address, port) not in doors]
        found |= await _each(others, _listens)
    return {**found, **doors}


async def _each(keys: Iterable[K], ask: Callable[[K], Awaitable[V | None]]) -> dict[K, V]:
    """What was answered in time."""
    found: dict[K, V] = {}

    async def one(key: K) -> None:
        with suppress(TimeoutError, OSError, errors.StatusError):
            async with asyncio.timeout(SECONDS):
                if (answer := await ask(key)) is not None:
                    found[key] = answer

    async with asyncio.TaskGroup() as group:
        for key in list(dict.fromkeys(keys))[:MOST]:
            group.create_task(one(key))
    return found


def _waiting(pods: Iterable[v1.Pod]) -> Iterable[Reference]:
    """Images that pods wait for in vain."""
    for pod in pods:
        for container, status, _ in containers(pod):
            waiting = status.state.waiting if status.state else None
            if waiting is not None and waiting.reason in image.REASONS:
                with suppress(InvalidReferenceError):
                    yield parse(container.image or "")


async def _tags(pods: Iterable[v1.Pod], registries: RegistryOptions) -> dict[str, Tags]:
    wanted = {reference.repository: reference for reference in _waiting(pods)}
    if not wanted:
        return {}
    from pybernetes.explain.registry import tags_of

    return await _each(wanted, lambda name: tags_of(wanted[name], registries))


def _crashed(pods: Iterable[v1.Pod]) -> Iterable[tuple[str, str, str]]:
    """Containers that ended badly, now or before."""
    for pod in pods:
        for _, status, _ in containers(pod):
            states = [state.terminated for state in (status.state, status.last_state) if state and state.terminated]
            if any(ended.exit_code for ended in states):
                yield pod.metadata.namespace or "", pod.metadata.name or "", status.name


async def _log(client: Client, namespace: str, pod: str, container: str) -> tuple[str, ...] | None:
    """The last lines of the attempt that ended."""
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
    for previous in ("true", ""):
        with suppress(errors.StatusError):
            query = {"container": container, "tailLines": str(LOG_LINES), "previous": previous}
            answer = await client.request("GET", path, query=query, accept="*/*", seconds=SECONDS)
            return tuple(answer.body.decode(errors="replace").splitlines())
    return None


def _doors_here(snapshot: Snapshot, services: Iterable[v1.Service]) -> Iterator[tuple[str, int]]:
    """Endpoints of services, where this machine is a node of the cluster: nothing is sent elsewhere."""
    nodes = {each.address for node in snapshot.all(v1.Node) for each in node.status.addresses}
    for each in services:
        for address, port in service.doors(snapshot, each):
            if _source_towards(address) in nodes:
                yield address, port


def _source_towards(address: str) -> str:
    """Our own address on the way to another, of which the kernel's routes tell without a packet."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            source: str = probe.getsockname()[0]
            return source
    except OSError:
        return ""


async def _listens(door: tuple[str, int]) -> bool | None:
    """Whether somebody does; None if that cannot be told from here."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(*door)
    except ConnectionRefusedError:
        return False
    except (OSError, TimeoutError):
        return None
    writer.close()
    return True


async def _remains(client: Client, namespace: str) -> tuple[Remain, ...]:
    """Every object that is left in a namespace."""
    if not namespace:
        return ()
    try:
        served = (await discover(client)).resources
    except errors.StatusError:
        return ()
    listable = [r for r in served if r.namespaced and {"list", "delete"} <= set(r.verbs)]

    async def of(resource: Resource) -> list[Remain]:
        page = await client.list_with(metadata_codec(resource), namespace)
        return [
            Remain(resource.group_resource, o.metadata.name or "", tuple(o.metadata.finalizers)) for o in page.items
        ]

    found = await _all(listable, of)
    return tuple(remain for part in found for remain in part)


async def _all(resources: list[Resource], ask: Callable[[Resource], Awaitable[list[Remain]]]) -> list[list[Remain]]:
    """As `_each`, without its limit."""
    results: list[list[Remain]] = []

    async def one(resource: Resource) -> None:
        with suppress(TimeoutError, errors.StatusError):
            async with asyncio.timeout(SECONDS):
                results.append(await ask(resource))

    async with asyncio.TaskGroup() as group:
        for resource in resources:
            group.create_task(one(resource))
    return results

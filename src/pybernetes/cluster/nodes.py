"""Nodes of this machine come and go under a running cluster: add, delete, stop and start one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pybernetes.aio.tasks import open_scope
from pybernetes.cluster import control, kubeconfig, lifecycle, locks, membership, network, readiness
from pybernetes.cluster.certificates import request_of
from pybernetes.cluster.drain import Victim, drain, forget
from pybernetes.cluster.interrupts import Interrupts, deferred
from pybernetes.cluster.membership import NodesError
from pybernetes.cluster.node import Node
from pybernetes.cluster.profile import Profile, load
from pybernetes.cluster.remains import remove_cgroups, remove_if_empty, remove_tree, unmount_below
from pybernetes.cri.errors import UnavailableError
from pybernetes.cri.socket import Client

T = TypeVar("T")
Report = Callable[[str, Node], None]
"""Told of each step as it is done: "made", "Ready", "drained", "deleted"; with the node."""

RUNTIME_SECONDS = 30.0
"""How long to wait for a runtime that is just being started, and for containers to die."""

ANSWER_SECONDS = 5.0
"""Who runs and does not answer in that time hangs: it is told before anything is begun."""

DAEMONS_SECONDS = 5.0
"""What is left on a drained node (pods of DaemonSets) has this long to end."""


def add(name: str, report: Report, *, count: int = 1, called: str = "", wait_seconds: float = 60.0) -> list[Node]:
    """Add nodes to the profile `name`, and wait until they are Ready if it runs; else they come with the next start.

    Raises NodesError, NotReadyError, NotAnsweringError; of a node that does not become Ready nothing is left.
    """
    with deferred() as interrupts, locks.of_profile(name, check=interrupts.check):
        profile, added = load(name), []
        if profile.settings.simulated:
            raise NodesError(f"the nodes of cluster {profile.name!r} are simulated", "p8s node add --simulated N")
        if count < 1:
            raise NodesError(f"{count} nodes cannot be added", "p8s node add --count 1")
        running = _is_attended(profile)
        for _ in range(count):
            profile = membership.joined(profile, called, _ranges(profile) if running else set())
            profile.save()
            node = profile.nodes[-1]
            added.append(node)
            report("made", node)
            if running:
                try:
                    _bring_up(node, wait_seconds, interrupts)
                except BaseException:
                    _take_away(node)
                    raise
                report("Ready", node)
    return added


def delete(name: str, node_name: str, report: Report, *, drain_seconds: float = 60.0) -> list[Victim]:
    """Drain a node, end it, and take away all that it had; returns the pods that could not be moved in time.

    Raises NodesError if it is the first; NotRunningError, NotAnsweringError: the Node object could not be removed then.
    """
    with locks.of_profile(name):
        node = _further(load(name), node_name)
        probe = _running_probe(node.profile)
        left = []
        if not node.stopped:
            left = drain(probe, node.name, drain_seconds)
            report("drained", node)
        with deferred() as interrupts:
            _take_away(node)
            report("deleted", node)
            interrupts.check()
    return left


def stop(name: str, node_name: str) -> Node:
    """Switch a node off, as if its plug were pulled: its containers end at once, its objects stay.

    Safe to repeat. Raises NodesError, NotAnsweringError.
    """
    with deferred() as interrupts, locks.of_profile(name, check=interrupts.check):
        node = _further(load(name), node_name)
        _is_attended(node.profile)
        _end(node, remove=False)
    return node


def start(name: str, node_name: str, *, wait_seconds: float = 60.0) -> Node:
    """Switch it on again, and wait until it is Ready if the cluster runs.

    Raises NodesError, NotReadyError, NotAnsweringError.
    """
    with deferred() as interrupts, locks.of_profile(name, check=interrupts.check):
        found = membership.find(load(name), node_name)
        _is_attended(found.profile)
        profile = membership.marked(found.profile, found, stopped=False)
        profile.save()
        node = membership.find(profile, node_name)
        if control.is_running(profile):
            _bring_up(node, wait_seconds, interrupts)
    return node


def _bring_up(node: Node, wait_seconds: float, interrupts: Interrupts) -> None:
    """Network, certificates and components of a node that the profile has; and wait."""
    profile, began = node.profile, time.time()
    network.attach(node)
    lifecycle.prepare(profile)
    control.request(profile, "update")
    vigil = readiness.Vigil(profile, lambda: not control.is_running(profile), interrupts)
    probe = readiness.Probe(profile)
    readiness.wait_nodes(probe, [node], vigil, began, time.monotonic() + wait_seconds)


def _take_away(node: Node) -> None:
    """All of a node: its pods, its object, its network, its files."""
    profile = node.profile
    # The runtime knows what a stopped node has left, as long as it has a network.
    network.attach(node)
    _end(node, remove=True)
    forget(readiness.Probe(profile), node.name)
    membership.without(profile, node).save()
    control.request(profile, "update")
    unmount_below(node.state)
    files = [profile.certificates / f"{request_of(node).name}.{end}" for end in ("crt", "key")]
    files += [profile.kubeconfig(file) for file in kubeconfig.identities_of(node)]
    for file in [*files, *profile.logs.glob(f"{node.named('agent')}.log*")]:
        file.unlink(missing_ok=True)
    remove_tree(node.state)
    remove_if_empty(node.state.parent)
    remove_cgroups(node.cgroup)


def _end(node: Node, *, remove: bool) -> None:
    """End its agent, then what it ran, then its network; the runtime serves it no longer. Safe to repeat.

    To `remove` it is gentler with pods, and leaves nothing of them.
    """
    profile = membership.marked(node.profile, node, stopped=True)
    profile.save()
    is_running = control.is_running(profile)
    if is_running:
        control.request(profile, "update", grace=DAEMONS_SECONDS if remove else 0)
        if network.is_attached(node):
            asyncio.run(_end_sandboxes(node, remove=remove))
    network.detach(node)
    if is_running:
        control.request(profile, "update")


async def _end_sandboxes(node: Node, *, remove: bool) -> None:
    """What the node's runtime runs. It may just be about to serve. Raises NodesError if it does not in time."""
    try:
        async with asyncio.timeout(RUNTIME_SECONDS), open_scope("node") as scope:
            runtime = Client(node.runtime_socket, scope)
            sandboxes = await _answered(runtime.list_pod_sandbox)
            async with asyncio.TaskGroup() as group:
                for sandbox in sandboxes:
                    group.create_task(_end_sandbox(runtime, sandbox.id, remove=remove))
    except TimeoutError as error:
        again = f"p8s logs runtime --profile {node.profile.name}; then the same command again"
        raise NodesError(f"the runtime of node {node.name!r} does not answer", again) from error


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await ask()
        except UnavailableError:
            await asyncio.sleep(readiness.PAUSE)


async def _end_sandbox(runtime: Client, sandbox_id: str, *, remove: bool) -> None:
    await runtime.stop_pod_sandbox(sandbox_id)
    if remove:
        await runtime.remove_pod_sandbox(sandbox_id)


def _further(profile: Profile, name: str) -> Node:
    node = membership.find(profile, name)
    if node.is_first:
        raise NodesError(
            f"node {node.name!r} has the control plane", f"p8s stop --profile {profile.name} (or delete), for all of it"
        )
    return node


def _running_probe(profile: Profile) -> readiness.Probe:
    if not _is_attended(profile):
        raise control.NotRunningError(profile)
    return readiness.Probe(profile)


def _is_attended(profile: Profile) -> bool:
    """Whether the cluster runs. Raises NotAnsweringError if one of those hangs whom a node needs."""
    if not control.is_running(profile):
        return False
    control.request(profile, "status", timeout=ANSWER_SECONDS)
    if readiness.Probe(profile).get("/livez")[0] == 0:
        raise control.NotAnsweringError(profile, "apiserver")
    asyncio.run(_ask_runtime(profile))
    return True


async def _ask_runtime(profile: Profile) -> None:
    """One that is just being started comes to answer within the time, too."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS), open_scope("node") as scope:
            await _answered(Client(profile.first_node.runtime_socket, scope).version)
    except TimeoutError as error:
        raise control.NotAnsweringError(profile, "runtime") from error


def _ranges(profile: Profile) -> set[str]:
    """The pod ranges of all nodes that the API server knows."""
    status, body = readiness.Probe(profile).get("/api/v1/nodes")
    items = json.loads(body)["items"] if status == 200 else []
    return {item["spec"].get("podCIDR", "") for item in items}

"""The simulated nodes: registered once, kept alive, and not well when they are told to be."""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

import msgspec

from pybernetes.aio.clock import Clock
from pybernetes.api import errors
from pybernetes.api.time import format_micro_time, seconds
from pybernetes.api.tree import Tree
from pybernetes.client.codec import WatchEvent
from pybernetes.client.workqueue import WorkQueue, run_workers
from pybernetes.simulator import node_objects
from pybernetes.simulator.events import Events
from pybernetes.simulator.names import annotation
from pybernetes.simulator.outages import Outages
from pybernetes.simulator.rules import NodeRule, Rules, Subject
from pybernetes.simulator.view import Meta, Node, NodeSpec
from pybernetes.simulator.writes import Writes

log = logging.getLogger(__name__)

WORKERS: Final = 12
RENEW_SECONDS: Final = 10.0
RENEW_SECONDS_OF_MANY: Final = 20.0
"""Half of a lease's time: thousands of nodes may be as late as that, and cost half as much."""
MANY: Final = 100


@dataclass(slots=True)
class Machine:
    """A simulated node as it is now."""

    node: Node
    number: int
    not_ready: Outages
    unreachable: Outages
    problem: str = ""
    is_silent: bool = False
    """It says nothing any more, and nothing happens on it."""
    renew_at: float = 0.0
    door: tuple[str, int] = ("", 0)
    """Where its status says that its kubelet is."""
    _free: list[int] = field(default_factory=list)
    _next: int = 0
    address: str = field(init=False)

    def __post_init__(self) -> None:
        self.address = node_objects.node_address(self.number)

    def take_address(self) -> str:
        """An address for a pod; the lowest that is free."""
        index = heapq.heappop(self._free) if self._free else self._next
        self._next = max(self._next, index + 1)
        return node_objects.pod_address(self.node.spec.pod_cidr or node_objects.pod_range(self.number), index)

    def keep_address(self, address: str) -> None:
        """One that a pod has already."""
        index = self._index(address)
        if index >= self._next:
            self._free += range(self._next, index)
            self._next = index + 1
        elif index in self._free:
            self._free.remove(index)
            heapq.heapify(self._free)

    def free_address(self, address: str) -> None:
        if 0 <= (index := self._index(address)) < self._next:
            heapq.heappush(self._free, index)

    def _index(self, address: str) -> int:
        return int(address.rpartition(".")[2]) - 2


class Fleet:
    """A sink of the nodes that carry the simulator's label, and their life."""

    def __init__(
        self, writes: Writes, clock: Clock, events: Events, rules: Rules, door: tuple[str, int], rng: random.Random
    ) -> None:  # fmt: skip
        """`door`: host and port where all the nodes' kubelets answer."""
        self._writes, self._clock, self._events, self._rules = writes, clock, events, rules
        self._door, self._rng = door, rng
        self._queue: WorkQueue[str] = WorkQueue(clock)
        self._next_number = 0
        self.machines: dict[str, Machine] = {}
        self.synced = asyncio.Event()
        self.on_change: Callable[[str], None] = lambda name: None
        """Told of nodes that came, fell silent, or are back."""

    # What the watch tells.

    def replace(self, objects: Sequence[Node], resource_version: str) -> None:
        present = {node.metadata.name: node for node in objects}
        for name in self.machines.keys() - present.keys():
            self._forget(name)
        # Those that have a range keep it: the others get what is left.
        for node in sorted(present.values(), key=lambda node: not node.spec.pod_cidr):
            self._take(node)
        self.synced.set()

    def apply(self, event: WatchEvent[Node]) -> None:
        if event.object is None:
            return
        if event.type == "DELETED":
            self._forget(event.object.metadata.name)
        else:
            self._take(event.object)

    def _take(self, node: Node) -> None:
        name = node.metadata.name
        known = self.machines.get(name)
        if known is not None and known.node.metadata.uid == node.metadata.uid:
            told, known.node = _told(known.node), node
            if told != _told(node):
                self._queue.add(name)
            return
        number = node_objects.number_of(node.spec.pod_cidr) if node.spec.pod_cidr else None
        if number is None:
            number = self._next_number
        self._next_number = max(self._next_number, number + 1)
        self.machines[name] = self._machine(node, number)
        self._queue.add(name)
        self.on_change(name)

    def _machine(self, node: Node, number: int) -> Machine:
        registered = seconds(node.metadata.creation_timestamp) if node.metadata.creation_timestamp else self._now()
        rules = self._rules.of_node(Subject(node.metadata.name, node.metadata.labels))
        not_ready = next((rule.not_ready for rule in rules if rule.not_ready), None)
        unreachable = next((rule.unreachable for rule in rules if rule.unreachable), None)
        return Machine(
            node,
            number,
            Outages.of(not_ready, registered, self._rng),
            Outages.of(unreachable, registered, self._rng),
            door=_door_of(node),
        )

    def _forget(self, name: str) -> None:
        if self.machines.pop(name, None) is not None:
            self.on_change(name)

    # What is written.

    async def register(self, names: Iterable[str], *, tainted: bool) -> None:
        """Make nodes; one whose name is taken stays as it is. Raises StatusError."""
        numbers = iter(range(self._next_number, node_objects.HOSTS))
        slots = asyncio.Semaphore(WORKERS)

        async def make(name: str, number: int) -> None:
            rules = self._rules.of_node(Subject(name, {}))
            tree = node_objects.new_node(name, number, rules, tainted=tainted)
            node = Node(
                metadata=msgspec.convert(tree["metadata"], Meta), spec=NodeSpec(pod_cidr=tree["spec"]["podCIDR"])
            )
            capacity = _capacity(rules)
            tree["status"] = node_objects.status(node, number, self._door, capacity, "", self._now())
            async with slots:
                try:
                    await self._writes.create_node(tree)
                except errors.StatusError as error:
                    if not errors.is_already_exists(error):
                        raise

        async with asyncio.TaskGroup() as group:
            for name, number in zip(names, numbers, strict=False):
                group.create_task(make(name, number), name=f"register/{name}")

    async def run(self) -> None:
        """Until cancelled."""
        await run_workers(self._queue, self._reconcile, workers=WORKERS, name="simulated nodes")

    async def _reconcile(self, name: str) -> float | None:
        machine = self.machines.get(name)
        if machine is None:
            return None
        now = self._now()
        self._look_around(name, machine, now)
        if not machine.is_silent:
            await self._write_spec(name, machine)
            await self._write_status(name, machine, now)
            await self._renew(name, machine, now)
        moment = min(machine.not_ready.next, machine.unreachable.next, inf if machine.is_silent else machine.renew_at)
        return max(0.0, moment - self._now()) if moment < inf else None

    def _look_around(self, name: str, machine: Machine, now: float) -> None:
        annotations, rule = machine.node.metadata.annotations, machine.not_ready.rule
        told = annotations.get(annotation("not-ready"))
        usual = (rule.message if rule else "") or "container runtime network not ready (simulated)"
        bad = machine.not_ready.look(now, self._rng) or told is not None
        machine.problem = (told if told not in (None, "", "true") else usual) if bad else ""
        silent = machine.unreachable.look(now, self._rng)
        silent |= annotations.get(annotation("unreachable"), "false") not in ("false", "")
        if silent != machine.is_silent:
            machine.is_silent, machine.renew_at = silent, 0.0
            log.info("node %s name=%s", "falls silent" if silent else "is back", name)
            self.on_change(name)

    async def _write_spec(self, name: str, machine: Machine) -> None:
        """What a node that somebody else has made lacks."""
        node = machine.node
        patch: Tree = {}
        if not node.spec.pod_cidr:
            patch["spec"] = node_objects.ranges(machine.number)
        wanted = node_objects.own_annotations(name)
        if any(node.metadata.annotations.get(key) != value for key, value in wanted.items()):
            patch["metadata"] = {"annotations": wanted}
        if patch:
            await self._writes.patch_node(name, patch)

    async def _write_status(self, name: str, machine: Machine, now: float) -> None:
        before = {condition.get("type"): condition for condition in machine.node.status.conditions}
        ready = before.get("Ready", {})
        said = {"True": "", "False": ready.get("message", "?")}.get(ready.get("status", ""))
        if machine.door == self._door and said == machine.problem:
            return
        rules = self._rules.of_node(Subject(name, machine.node.metadata.labels))
        status = node_objects.status(machine.node, machine.number, self._door, _capacity(rules), machine.problem, now)
        await self._writes.patch_node_status(name, status)
        machine.door = self._door
        word = "NodeNotReady" if machine.problem else "NodeReady"
        self._events.node(name, word, f"Node {name} status is now: {word}")

    async def _renew(self, name: str, machine: Machine, now: float) -> None:
        if now < machine.renew_at:
            return
        lease = node_objects.lease(machine.node, now)
        await self._writes.renew_lease(name, format_micro_time(now), lease)
        pause = RENEW_SECONDS if len(self.machines) <= MANY else RENEW_SECONDS_OF_MANY
        # The first renewals of nodes that came together are spread, and stay so.
        machine.renew_at = now + (pause if machine.renew_at else pause * (0.5 + 0.5 * self._rng.random()))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _told(node: Node) -> tuple[object, ...]:
    """What of a node is an order to the simulator, or has been spoilt by somebody."""
    ready = [condition.get("status") for condition in node.status.conditions if condition.get("type") == "Ready"]
    return (node.metadata.annotations, node.spec.pod_cidr, ready)


def _door_of(node: Node) -> tuple[str, int]:
    host = next((each.get("address", "") for each in node.status.addresses if each.get("type") == "InternalDNS"), "")
    return host, (node.status.daemon_endpoints.get("kubeletEndpoint") or {}).get("Port", 0)


def _capacity(rules: Iterable[NodeRule]) -> dict[str, str]:
    """The first rule that names a resource decides."""
    found: dict[str, str] = {}
    for rule in rules:
        found = {**rule.capacity, **found}
    return found

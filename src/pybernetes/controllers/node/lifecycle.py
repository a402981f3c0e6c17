"""The node lifecycle controller."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api.types import coordination_v1, core_v1
from pybernetes.client.cache import Key
from pybernetes.client.patch import PatchType
from pybernetes.controllers import pods as podstate
from pybernetes.controllers.context import Context, KeyedController, do_all, ignore_not_found
from pybernetes.controllers.node.health import (
    condition,
    is_emptied,
    ready_status,
    same_taints,
    silent_conditions,
    taints_of,
)
from pybernetes.controllers.node.zones import Zone, zone_key, zone_of

LEASES = "kube-node-lease"
NODE_INDEX = "node"


def node_of(pod: core_v1.Pod) -> list[str]:
    """An index function: the node that a pod is bound to."""
    return [pod.spec.node_name] if pod.spec.node_name else []


class _Pulse(Struct):
    """When (monotonic) a node was last heard of, and by what."""

    heard: float
    heartbeat: str
    renewal: str = ""
    ready: str = ""
    told: str = ""
    """What its pods know of `ready`."""


class NodeLifecycleController(KeyedController):
    """Watches heartbeats: a node's status and its lease. Nothing polls: each node has a timer to its deadline."""

    name = "node-lifecycle-controller"
    workers = 10

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.nodes = context.informers.of(core_v1.Node)
        self.leases = context.informers.of(coordination_v1.Lease, LEASES)
        self.pods = context.informers.of(core_v1.Pod)
        self.pods.add_index(NODE_INDEX, node_of)
        self.recorder = context.recorder("node-controller")
        self._pulses: dict[str, _Pulse] = {}
        self._zones: dict[tuple[str, str], Zone] = {}
        self.nodes.subscribe(self._on_node)
        self.leases.subscribe(self._on_lease)

    def _on_node(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        if new is None:
            if old is not None:
                self._pulses.pop(old.metadata.name or "", None)
                self._leave_zone(old)
                self._tell(old, "RemovingNode", f"Node {old.metadata.name} event: Removing Node {old.metadata.name} from Controller")  # fmt: skip
            return
        name, heartbeat = new.metadata.name or "", _heartbeat(new)
        if old is None or zone_of(old) != zone_of(new):
            self._change_zone(old, new)
        pulse = self._pulses.get(name)
        if pulse is None:
            self._pulses[name] = _Pulse(self.context.clock.monotonic(), heartbeat)
            self._tell(new, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
        elif pulse.heartbeat != heartbeat:
            pulse.heard, pulse.heartbeat = self.context.clock.monotonic(), heartbeat
        if old is None or _shape(old) != _shape(new):
            self.enqueue(new)

    def _on_lease(self, old: coordination_v1.Lease | None, new: coordination_v1.Lease | None) -> None:
        pulse = self._pulses.get(new.metadata.name or "") if new is not None else None
        if pulse is not None and new is not None and new.spec.renew_time != pulse.renewal:
            pulse.heard, pulse.renewal = self.context.clock.monotonic(), new.spec.renew_time or ""

    def _tell(self, node: core_v1.Node, reason: str, message: str) -> None:
        """Events about nodes name them by name in place of their UID, as kubelets do, so that they are found together."""
        meta = node.metadata
        reference = core_v1.ObjectReference(kind="Node", name=meta.name, uid=meta.uid)
        self.recorder.event(reference, "Normal", reason, message)

    async def reconcile(self, key: Key) -> float | None:
        node, pulse = self.nodes.get(key[1]), self._pulses.get(key[1])
        if node is None or pulse is None:
            return None
        options = self.context.options
        grace = options.node_monitor_grace_period if condition(node, "Ready") else options.node_startup_grace_period
        left = pulse.heard + grace - self.context.clock.monotonic()
        if left <= 0:
            node = await self._mark_silent(node)
        self._note_readiness(node, pulse)
        turn = self._turn_of(node)
        await self._write_taints(node, evicts=turn == 0)
        await self._tell_pods(node, pulse)
        waits = [seconds for seconds in (left, turn) if seconds is not None and seconds > 0]
        return min(waits, default=None)

    def _turn_of(self, node: core_v1.Node) -> float | None:
        """0 if what a silent node runs goes elsewhere, else when to ask again. Nobody is driven from all nodes at once."""
        if ready_status(node) == "True" or is_emptied(node):
            self._zone(node).end_turn(node.metadata.name or "")
            return 0.0 if self._any_ready() else None
        if not self._any_ready() or condition(node, "Ready") is None:
            return None  # who has never said anything has nothing to lose yet
        return self._zone(node).take_turn(
            node.metadata.name or "", self.context.clock.monotonic(), self.context.options
        )

    async def _mark_silent(self, node: core_v1.Node) -> core_v1.Node:
        conditions = silent_conditions(node, self.context.now())
        if conditions == node.status.conditions:
            return node
        status = msgspec.structs.replace(node.status, conditions=conditions)
        written = await self.client.update_status(msgspec.structs.replace(node, status=status))
        self.nodes.assume(written)
        return written

    def _note_readiness(self, node: core_v1.Node, pulse: _Pulse) -> None:
        is_ready, was_ready = ready_status(node) == "True", pulse.ready == "True"
        pulse.ready = ready_status(node)
        if was_ready and not is_ready:
            self._tell(node, "NodeNotReady", f"Node {node.metadata.name} status is now: NodeNotReady")
        if is_ready != was_ready:
            self._count_ready(node, is_ready)

    async def _tell_pods(self, node: core_v1.Node, pulse: _Pulse) -> None:
        """When a node stops being ready, its pods stop as well: nobody else could say so."""
        if pulse.ready != "True" and pulse.told != pulse.ready:
            pods = self.pods.by_index(NODE_INDEX, node.metadata.name or "")
            await do_all(self._mark_not_ready(pod) for pod in pods)
        pulse.told = pulse.ready

    def _zone(self, node: core_v1.Node) -> Zone:
        return self._zones.setdefault(zone_of(node), Zone())

    def _any_ready(self) -> bool:
        return any(zone.ready for zone in self._zones.values())

    def _change_zone(self, old: core_v1.Node | None, new: core_v1.Node) -> None:
        was_ready = old is not None and old.metadata.name in self._zone(old).ready
        if old is not None:
            self._leave_zone(old)
        self._zone(new).nodes.add(new.metadata.name or "")
        if was_ready:
            self._count_ready(new, True)

    def _leave_zone(self, node: core_v1.Node) -> None:
        name, zone = node.metadata.name or "", self._zone(node)
        zone.nodes.discard(name)
        zone.end_turn(name)
        if name in zone.ready:
            self._count_ready(node, False)

    def _count_ready(self, node: core_v1.Node, is_ready: bool) -> None:
        """Whether evictions make sense depends on all nodes together: when the first gets well, and when none is."""
        before, name, zone = self._any_ready(), node.metadata.name or "", self._zone(node)
        zone.ready.add(name) if is_ready else zone.ready.discard(name)
        others = self.nodes.list() if before != self._any_ready() else [self.nodes.get(each) for each in zone.waiting]
        for other in others:
            if other is not None and other.metadata.name != name:
                self.enqueue(other)

    async def _mark_not_ready(self, pod: core_v1.Pod) -> None:
        if not podstate.is_ready(pod):
            return
        now = self.context.now()
        patch = {"status": {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": now}]}}
        meta = pod.metadata
        call = self.client.patch(
            core_v1.Pod, meta.name or "", meta.namespace or "", patch, PatchType.STRATEGIC, subresource="status"
        )
        if await ignore_not_found(call):
            self.recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")

    async def _write_taints(self, node: core_v1.Node, *, evicts: bool) -> None:
        taints = taints_of(node, evicts=evicts, now=self.context.now())
        if same_taints(taints, node.spec.taints):
            return
        patch = {
            "metadata": {"uid": node.metadata.uid, "resourceVersion": node.metadata.resource_version},
            "spec": {"taints": msgspec.to_builtins(taints) or None},
        }
        try:
            self.nodes.assume(await self.client.patch(core_v1.Node, node.metadata.name or "", "", patch))
            if evicts and any(taint.effect == "NoExecute" and taint not in node.spec.taints for taint in taints):
                self.context.metrics.evictions.inc(zone_key(node))
        except errors.StatusError as error:
            if not errors.is_not_found(error):
                raise


def _heartbeat(node: core_v1.Node) -> str:
    found = condition(node, "Ready")
    return found.last_heartbeat_time or "" if found is not None else ""


def _shape(node: core_v1.Node) -> tuple[object, ...]:
    """What taints are made of: heartbeats alone change nothing."""
    conditions = [(found.type, found.status) for found in node.status.conditions]
    return (node.spec, conditions)

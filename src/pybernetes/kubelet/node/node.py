"""This node's Node object: registered once, its status written when it changes and every five minutes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1
from pybernetes.client.informer import Informer
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client
from pybernetes.kubelet.events import NORMAL, WARNING, Events
from pybernetes.kubelet.node.status import Health, NodeFacts, node_status

log = logging.getLogger(__name__)

REPORT_SECONDS = 300.0
CHECK_SECONDS = 10.0
Gather = Callable[[], Awaitable[tuple[NodeFacts, Health]]]


class NodeReporter:
    """Registers the node and keeps its status current."""

    def __init__(
        self, client: Client, clock: Clock, events: Events, gather: Gather, labels: dict[str, str],
        taints: list[v1.Taint], pod_cidr: str, own: Informer[v1.Node],
        in_use: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:  # fmt: skip
        """`own` follows this Node, so that what others write to its status is seen and, where it is ours, put right;
        `in_use` tells the volumes that may not be detached."""
        self._client, self._clock, self._events, self._gather = client, clock, events, gather
        self._labels, self._taints, self._pod_cidr, self._own = labels, taints, pod_cidr, own
        self._in_use = in_use
        self._changed = asyncio.Event()
        self._reported_at = 0.0
        self.node = v1.Node()

    async def register(self) -> v1.Node:
        """Create the Node, or take over the one that is there. Tries until the API server answers."""
        backoff = Backoff(initial=0.05, limit=0.5)
        while True:
            try:
                self.node = await self._register()
                return self.node
            except StatusError as error:
                log.warning("cannot register node error=%s", error.message)
                await self._clock.sleep(backoff.next())

    async def _register(self) -> v1.Node:
        facts, health = await self._gather()
        labels = self._node_labels(facts)
        status = node_status(facts, health, v1.NodeStatus(), self._clock.now(), self._in_use())
        spec = v1.NodeSpec(
            taints=self._taints,
            pod_cidr=self._pod_cidr or None,
            pod_cidrs=[self._pod_cidr] if self._pod_cidr else [],
        )
        meta = meta_v1.ObjectMeta(
            name=facts.name,
            labels=labels,
            annotations={"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        )
        try:
            made = await self._client.create(v1.Node(metadata=meta, spec=spec, status=status))
        except StatusError as error:
            if error.code != 409:
                raise
            return await self._take_over(facts, health, labels)
        self._reported_at = self._clock.monotonic()
        if made.status.conditions:
            self._tell_conditions(v1.NodeStatus(), status)
        self.node = made
        await self._report(facts, health)
        return self.node

    async def _take_over(self, facts: NodeFacts, health: Health, labels: dict[str, str]) -> v1.Node:
        known = await self._client.get(v1.Node, facts.name)
        if any(known.metadata.labels.get(name) != value for name, value in labels.items()):
            await self._client.patch(v1.Node, facts.name, "", {"metadata": {"labels": labels}}, PatchType.STRATEGIC)
        boot = known.status.node_info.boot_id if known.status.node_info else ""
        if boot and boot != facts.machine.boot_id:
            message = f"Node {facts.name} has been rebooted, boot id: {facts.machine.boot_id}"
            self._events.node(WARNING, "Rebooted", message)
        self.node = known
        await self._report(facts, health)
        return self.node

    def _node_labels(self, facts: NodeFacts) -> dict[str, str]:
        arch = facts.machine.architecture
        return {
            "beta.kubernetes.io/arch": arch,
            "beta.kubernetes.io/os": "linux",
            "kubernetes.io/arch": arch,
            "kubernetes.io/hostname": facts.name,
            "kubernetes.io/os": "linux",
        } | self._labels

    def check_now(self) -> None:
        """Something about the node may have changed."""
        self._changed.set()

    async def run(self) -> None:
        """Look every ten seconds, or when told; write what changed, and all of it every five minutes."""
        while True:
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            try:
                await self._report(*await self._gather())
            except StatusError as error:
                log.warning("cannot write node status error=%s", error.message)
                if error.code == 404:
                    await self.register()

    async def _report(self, facts: NodeFacts, health: Health) -> None:
        self.node = self._own.get(facts.name) or self.node
        before = self.node.status
        made = node_status(facts, health, before, self._clock.now(), self._in_use())
        is_due = self._clock.monotonic() - self._reported_at >= REPORT_SECONDS
        if not is_due and _essence(made) == _essence(before):
            return
        self.node = await self._client.patch(
            v1.Node, facts.name, "", {"status": status_patch(before, made)}, PatchType.STRATEGIC, subresource="status"
        )
        self._own.assume(self.node)
        self._reported_at = self._clock.monotonic()
        self._tell_conditions(before, made)

    def _tell_conditions(self, before: v1.NodeStatus, after: v1.NodeStatus) -> None:
        old = {condition.type: condition.status for condition in before.conditions}
        for condition in after.conditions:
            if old.get(condition.type) == condition.status:
                continue
            word = (condition.reason or "").replace("KubeletHas", "NodeHas", 1)
            if condition.type == "Ready":
                word = "NodeReady" if condition.status == "True" else "NodeNotReady"
            message = f"Node {self.node.metadata.name or after.addresses[-1].address} status is now: {word}"
            self._events.node(NORMAL, word, message)


def _essence(status: v1.NodeStatus) -> dict[str, Any]:
    """The status without its heartbeats."""
    tree: dict[str, Any] = msgspec.to_builtins(status)
    for condition in tree.get("conditions", ()):
        condition.pop("lastHeartbeatTime", None)
    tree.pop("volumesAttached", None)
    return tree


def status_patch(before: v1.NodeStatus, after: v1.NodeStatus) -> dict[str, Any]:
    """Changed fields; lists that a strategic patch would merge are replaced, and keys that are gone are deleted."""
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    patch = {name: value for name, value in new.items() if old.get(name) != value}
    if "volumesInUse" in old.keys() - new.keys():  # the one list of ours that can come to an end
        patch["volumesInUse"] = None
    for name, value in patch.items():
        if isinstance(value, dict):
            patch[name] = dict.fromkeys(old.get(name, {}).keys() - value.keys()) | value
    if "addresses" in patch:
        patch["addresses"] = [*patch["addresses"], {"$patch": "replace"}]
    return patch

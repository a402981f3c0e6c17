"""All nodes with their pods, those included that were just placed and are not yet confirmed by the API server."""

from __future__ import annotations

from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.devices.world import Devices
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.volumes import Volumes


class Snapshot:
    """The scheduler's world. Each change of a node is noted in `changes`, so that rankings can follow cheaply."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeState] = {}
        self.volumes = Volumes()
        self.devices = Devices()
        self.namespaces: dict[str, dict[str, str]] = {}
        """Their labels."""
        self.changes: list[str] = []
        self.base = 0
        self._where: dict[str, str] = {}
        self._refusing: dict[str, PodInfo] = {}
        self._promised: dict[str, tuple[PodInfo, str]] = {}

    @property
    def position(self) -> int:
        """The number of changes so far."""
        return self.base + len(self.changes)

    def changed_since(self, position: int) -> set[str] | None:
        """Names of nodes changed after `position`; None if that is no longer known."""
        return None if position < self.base else set(self.changes[position - self.base :])

    def set_node(self, node: core.Node) -> bool:
        """Add or update a node; True if decisions may come out differently now."""
        name = node.metadata.name or ""
        changed = self._state(name).update(node)
        if changed:
            self._note(name)
        return changed

    def remove_node(self, name: str) -> None:
        """Forget the node; pods that are still bound to it stay known, in case it comes back."""
        state = self.nodes.get(name)
        if state is None:
            return
        state.node = None
        if not state.pods:
            del self.nodes[name]
        self._note(name)

    def place(self, pod: PodInfo, node: str) -> None:
        """The pod is on the node: assumed by a decision, or seen bound. Safe to repeat."""
        known = self._where.get(pod.uid)
        state = self._state(node)
        if known == node:
            before = state.pods[pod.uid]
            same = before.needs is pod.needs and before.owner == pod.owner
            if same and before.pod.metadata.labels == pod.pod.metadata.labels:
                state.pods[pod.uid] = pod
                return
        if known is not None:
            self.remove(pod.uid)
        state.add(pod)
        self._where[pod.uid] = node
        self._promised.pop(pod.uid, None)
        if pod.refuses_others:
            self._refusing[pod.uid] = pod
        self._note(node)

    def remove(self, uid: str) -> bool:
        """The pod is no longer anywhere, nor is room kept for it; False if neither was so."""
        name, promised = self._where.pop(uid, None), self._promised.pop(uid, None)
        if name is None:
            return promised is not None
        self._refusing.pop(uid, None)
        state = self.nodes[name]
        state.remove(uid)
        if state.node is None and not state.pods:
            del self.nodes[name]
        self._note(name)
        return True

    def placed(self, uid: str) -> PodInfo | None:
        """The pod as it is known on its node, also if that is only decided yet."""
        node = self._where.get(uid)
        return None if node is None else self.nodes[node].pods[uid]

    def present(self) -> list[NodeState]:
        """The nodes that exist."""
        return [state for state in self.nodes.values() if state.node is not None]

    @property
    def refuses(self) -> bool:
        """Whether there are pods that keep others away."""
        return bool(self._refusing)

    def refusing(self) -> list[tuple[PodInfo, NodeState]]:
        """The pods that keep others away by required anti-affinity, with their nodes."""
        found = ((pod, self.nodes[self._where[uid]]) for uid, pod in self._refusing.items())
        return [(pod, node) for pod, node in found if node.node is not None]

    def promise(self, pod: PodInfo, node: str) -> None:
        """Pods on the node make room for this one (status.nominatedNodeName), until it is placed: no less important one
        is to take it."""
        if pod.uid not in self._where:
            self._promised[pod.uid] = (pod, node)

    def take_back(self, uid: str) -> bool:
        """The pod waits for no node in particular; whether it did. Safe to repeat."""
        return self._promised.pop(uid, None) is not None

    def promised(self, pod: PodInfo) -> dict[str, list[PodInfo]]:
        """Node -> the others, at least as important, for which room is kept there."""
        found: dict[str, list[PodInfo]] = {}
        for other, node in self._promised.values():
            if other.priority >= pod.priority and other.uid != pod.uid:
                found.setdefault(node, []).append(other)
        return found

    def outranked(self, pod: PodInfo, node: str) -> list[PodInfo]:
        """The less important ones for which room is kept on the node."""
        return [other for other, where in self._promised.values() if where == node and other.priority < pod.priority]

    def with_promised(self, pod: PodInfo, name: str) -> Snapshot:
        """A copy in which pods can be tried on one node, where those are that come before `pod`. All else is shared."""
        copy = Snapshot()
        copy.nodes = {**self.nodes, name: self.nodes[name].copy()}
        copy.volumes, copy.devices, copy.namespaces = self.volumes, self.devices, self.namespaces
        copy._refusing = dict(self._refusing)
        copy._where = {uid: self._where[uid] for uid in self._refusing} | dict.fromkeys(self.nodes[name].pods, name)
        for other in self.promised(pod).get(name, ()):
            copy.place(other, name)
        return copy

    def _state(self, name: str) -> NodeState:
        state = self.nodes.get(name)
        if state is None:
            state = self.nodes[name] = NodeState(name)
        return state

    def _note(self, name: str) -> None:
        self.changes.append(name)
        if (state := self.nodes.get(name)) is not None:
            state.version = self.position
        if len(self.changes) > 100_000:
            self.base += 50_000
            del self.changes[:50_000]

"""All nodes with their pods, those included that were just placed and are not yet confirmed by the API server."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Final

from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.devices.world import Devices
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.tally import Count, Tally, add
from pybernetes.scheduler.terms import Stated
from pybernetes.scheduler.volumes import Volumes

KEPT: Final = 512
"""Tallies, and pods' labels, that are remembered."""


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
        self._promised: dict[str, tuple[PodInfo, str]] = {}
        self._stated: dict[Stated, int] = {}
        """What placed pods say of others -> how many of them do."""
        self._about: dict[tuple[str, frozenset[tuple[str, str]]], tuple[Stated, ...]] = {}
        self._tallies: OrderedDict[tuple[str, Hashable], Tally] = OrderedDict()
        self._base: Snapshot | None = None
        self._tried = ""
        """The node on which this copy of `_base` differs."""

    @property
    def position(self) -> int:
        """The number of changes so far."""
        return self.base + len(self.changes)

    def changed_since(self, position: int) -> set[str] | None:
        """Names of nodes changed after `position`; None if that is no longer known."""
        return None if position < self.base else set(self.changes[position - self.base :])

    def set_namespace(self, name: str, labels: dict[str, str] | None) -> bool:
        """Its labels, None if it is gone; whether that is news."""
        if self.namespaces.get(name) == labels:
            return False
        self.namespaces.pop(name, None)
        if labels is not None:
            self.namespaces[name] = labels
        # Terms may select pods by their namespaces' labels.
        self._about.clear()
        self._tallies.clear()
        return True

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
            if same and _counted_by(before) == _counted_by(pod):
                state.pods[pod.uid] = pod
                return
        if known is not None:
            self.remove(pod.uid)
        state.add(pod)
        self._where[pod.uid] = node
        self._promised.pop(pod.uid, None)
        self._count_stated(pod, 1)
        self._note(node)

    def remove(self, uid: str) -> bool:
        """The pod is no longer anywhere, nor is room kept for it; False if neither was so."""
        name, promised = self._where.pop(uid, None), self._promised.pop(uid, None)
        if name is None:
            return promised is not None
        state = self.nodes[name]
        self._count_stated(state.pods[uid], -1)
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

    def stated_about(self, pod: PodInfo) -> Sequence[Stated]:
        """What placed pods say that is about this one."""
        metadata = pod.pod.metadata
        namespace, labels = metadata.namespace or "", metadata.labels
        if self._base is not None:
            known = self._base.stated_about(pod)
            new = [stated for stated, count in self._stated.items() if count > 0 and stated not in self._base._stated]
            return [*known, *(one for one in new if one[0].selects(namespace, labels, self.namespaces))]
        if not self._stated:
            return ()
        key = (namespace, frozenset(labels.items()))
        found = self._about.get(key)
        if found is None:
            if len(self._about) >= KEPT:
                self._about.clear()
            chosen = (one for one in self._stated if one[0].selects(namespace, labels, self.namespaces))
            found = self._about[key] = tuple(chosen)
        return found

    def domains(self, key: str, what: Hashable, count: Count) -> Mapping[str, int]:
        """How many pods run in each domain of a topology key, by what `count` says of each node. `what` is equal for
        counts that are the same.
        """
        if self._base is not None:
            found = self._base.domains(key, what, count)
            before, node = self._base.nodes[self._tried], self.nodes[self._tried]
            more = count(node) - count(before)
            if more and node.node is not None and key in node.labels:
                found = dict(found)
                add(found, node.labels[key], more)
            return found
        tally = self._tallies.get((key, what))
        if tally is None:
            tally = self._tallies[key, what] = Tally(key, count)
            if len(self._tallies) > KEPT:
                self._tallies.popitem(last=False)
        else:
            self._tallies.move_to_end((key, what))
        changed = self.changed_since(tally.position) if tally.position >= 0 else None
        return tally.follow(self.nodes, changed, self.position)

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
        copy._where = dict.fromkeys(self.nodes[name].pods, name)
        copy._base, copy._tried = self, name
        for other in self.promised(pod).get(name, ()):
            copy.place(other, name)
        return copy

    def _state(self, name: str) -> NodeState:
        state = self.nodes.get(name)
        if state is None:
            state = self.nodes[name] = NodeState(name)
        return state

    def _count_stated(self, pod: PodInfo, sign: int) -> None:
        for stated in pod.terms.to_others:
            count = self._stated[stated] = self._stated.get(stated, 0) + sign
            if not count:
                del self._stated[stated]
            if not count or count == sign:
                self._about.clear()

    def _note(self, name: str) -> None:
        self.changes.append(name)
        if (state := self.nodes.get(name)) is not None:
            state.version = self.position
        if len(self.changes) > 100_000:
            self.base += 50_000
            del self.changes[:50_000]


def _counted_by(pod: PodInfo) -> tuple[dict[str, str], bool]:
    """What decisions about other pods look at."""
    return pod.pod.metadata.labels, pod.pod.metadata.deletion_timestamp is None

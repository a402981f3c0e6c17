"""A node and what already runs on it, kept up to date pod by pod."""

from __future__ import annotations

from collections import Counter

from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.pod import HostPort, PodInfo
from pybernetes.scheduler.resources import Amounts, amounts
from pybernetes.scheduler.terms import Stated

UNSCHEDULABLE = core.Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")


class NodeState:
    """Mutable; owned by the Snapshot, which gives it another `version` with each change. Amounts as in `resources`."""

    __slots__ = (
        "allocatable", "images", "labels", "name", "node", "owners", "pods", "ports", "requested",
        "scoring_requested", "stated", "taints", "unschedulable", "version",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = 0
        self.node: core.Node | None = None
        self.pods: dict[str, PodInfo] = {}
        self.requested: Amounts = {}
        self.scoring_requested: Amounts = {}
        self.ports: Counter[HostPort] = Counter()
        self.owners: Counter[str] = Counter()
        self.stated: dict[Stated, int] = {}
        """What its pods say of others -> how many of them do."""
        self.allocatable: Amounts = {}
        self.labels: dict[str, str] = {}
        self.taints: list[core.Taint] = []
        self.unschedulable = False
        self.images: dict[str, int] = {}

    def update(self, node: core.Node) -> bool:
        """Take the node as it is now; True if anything that decisions look at has changed."""
        allocatable = amounts(node.status.allocatable)
        images = {name: image.size_bytes or 0 for image in node.status.images for name in image.names}
        now = (allocatable, node.metadata.labels, node.spec.taints, bool(node.spec.unschedulable), images)
        before = (self.allocatable, self.labels, self.taints, self.unschedulable, self.images)
        changed = self.node is None or now != before
        self.node = node
        self.allocatable, self.labels, self.taints, self.unschedulable, self.images = now
        return changed

    def add(self, pod: PodInfo) -> None:
        self._count(pod, 1)
        self.pods[pod.uid] = pod

    def remove(self, uid: str) -> None:
        """Forget a pod; one that is not here changes nothing."""
        pod = self.pods.pop(uid, None)
        if pod is not None:
            self._count(pod, -1)

    def copy(self) -> NodeState:
        """One to try things on."""
        copy = NodeState(self.name)
        copy.node, copy.allocatable, copy.labels = self.node, self.allocatable, self.labels
        copy.taints, copy.unschedulable, copy.images = self.taints, self.unschedulable, self.images
        copy.pods, copy.requested, copy.scoring_requested = (
            dict(self.pods),
            dict(self.requested),
            dict(self.scoring_requested),
        )
        copy.ports, copy.owners, copy.stated = self.ports.copy(), self.owners.copy(), dict(self.stated)
        return copy

    def _count(self, pod: PodInfo, sign: int) -> None:
        needs = pod.needs
        for total, part in ((self.requested, needs.requests), (self.scoring_requested, needs.scoring_requests)):
            for name, number in part.items():
                total[name] = total.get(name, 0) + sign * number
        for port in needs.host_ports:
            self.ports[port] += sign
        for stated in pod.terms.to_others:
            self.stated[stated] = self.stated.get(stated, 0) + sign
            if not self.stated[stated]:
                del self.stated[stated]
        if pod.owner:
            left = self.owners[pod.owner] = self.owners[pod.owner] + sign
            if not left:
                del self.owners[pod.owner]

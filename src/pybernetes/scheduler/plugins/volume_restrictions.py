"""VolumeRestrictions: a claim of access mode ReadWriteOncePod has one pod (KEP-2485)."""

from __future__ import annotations

from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import Rejection, Verdicts
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.snapshot import Snapshot

CONFLICT = Rejection(
    "VolumeRestrictions",
    ("node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",),
    resolvable=True,
)


def verdicts(pod: PodInfo, snapshot: Snapshot) -> Verdicts | None:
    if not pod.claims:
        return None
    found = snapshot.volumes.claims
    own = {key for key in pod.claims if key in found and "ReadWriteOncePod" in found[key].spec.access_modes}
    if not own:
        return None
    users = (other for node in snapshot.present() for other in node.pods.values() if other.uid != pod.uid)
    if all(own.isdisjoint(other.claims) for other in users):
        return None

    def refuse(node: NodeState) -> Rejection | None:
        return CONFLICT

    return Verdicts(refuse)

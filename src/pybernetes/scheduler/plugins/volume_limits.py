"""NodeVolumeLimits: a node takes as many volumes of a CSI driver as the driver says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pybernetes.api import volumes as match
from pybernetes.scheduler.csi import Volume, source_of
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.plugins import Rejection, Verdicts
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.volumes import ClaimKey, Volumes

NAME = "NodeVolumeLimits"
FULL = Rejection(NAME, ("node(s) exceed max volume count",), resolvable=True)


def verdicts(pod: PodInfo, snapshot: Snapshot) -> Verdicts | None:
    if not pod.claims or not snapshot.volumes.csi.nodes:
        return None
    volumes = snapshot.volumes
    wanted = set(_volumes_of(pod.claims, volumes))
    if not wanted:
        return None

    def verdict(node: NodeState) -> Rejection | None:
        limits = volumes.csi.limits(node.name)
        if not any(driver in limits for driver, _ in wanted):
            return None
        present = set(_present(node, volumes))
        new = wanted - present
        counts = Counter(driver for driver, _ in present | new)
        return FULL if any(counts[driver] > limits.get(driver, counts[driver]) for driver, _ in new) else None

    return Verdicts(verdict)


def _volumes_of(claims: Iterable[ClaimKey], volumes: Volumes) -> Iterable[Volume]:
    for key in claims:
        claim = volumes.claims.get(key)
        if claim is None:
            continue
        volume = volumes.volumes.get(claim.spec.volume_name or "")
        if volume is not None:
            if (source := source_of(volume)) is not None:
                yield source
        elif not claim.spec.volume_name and (found := volumes.classes.get(match.class_of(claim))) is not None:
            yield found.provisioner, f"{key[0]}/{key[1]}"


def _present(node: NodeState, volumes: Volumes) -> Iterable[Volume]:
    """What the node has: for its pods, and what is attached to it for whomever."""
    for pod in node.pods.values():
        yield from _volumes_of(pod.claims, volumes)
    for driver, name in volumes.csi.attached(node.name):
        volume = volumes.volumes.get(name)
        yield (volume is not None and source_of(volume)) or (driver, name)

"""Volumes of CSI drivers: a driver that is not on the node, an attachment that does not come about."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import storage_v1
from pybernetes.explain.causes import Cause
from pybernetes.explain.snapshot import Snapshot, claim_names
from pybernetes.explain.terms import listed

LATE_SECONDS = 15.0
_UNREGISTERED = re.compile(r"driver name (?P<driver>\S+) not found in the list of registered CSI drivers")
_UNATTACHED = re.compile(r'AttachVolume\.Attach failed for volume "(?P<volume>[^"]+)"')
_TAKEN = re.compile(r'Multi-Attach error for volume "(?P<volume>[^"]+)"')


def said(snapshot: Snapshot, pod: v1.Pod, message: str) -> Cause | None:
    """What an event of the pod means, if it is about a driver."""
    node = pod.spec.node_name or ""
    if found := _UNREGISTERED.search(message):
        return _unregistered(snapshot, node, found["driver"], message)
    if found := _TAKEN.search(message):
        holders = [
            each.spec.node_name for each in _attachments(snapshot, found["volume"]) if each.spec.node_name != node
        ]
        where = f"node {listed(holders)}" if holders else "another node"
        return Cause(
            f"volume {found['volume']} is attached to {where}, and its access mode allows one node",
            seen=(message,),
            steps=(f"end the pods there that use it, or let this one run on {holders[0] if holders else 'that node'}",),
        )
    if found := _UNATTACHED.search(message):
        return Cause(
            f"the driver could not attach volume {found['volume']} to node {node}",
            seen=(message,),
            steps=(f"kubectl describe pv {found['volume']}", "kubectl get volumeattachments"),
        )
    return None


def waiting(snapshot: Snapshot, pod: v1.Pod) -> Iterator[Cause]:
    """Attachments that the pod has waited for too long, of which nobody says anything."""
    for name in claim_names(pod):
        claim = snapshot.get(v1.PersistentVolumeClaim, name, pod.metadata.namespace or "")
        volume = claim.spec.volume_name if claim is not None else None
        for each in _attachments(snapshot, volume or ""):
            told = each.status.attached or each.status.attach_error is not None
            if each.spec.node_name == pod.spec.node_name and not told and _is_late(snapshot, each):
                yield Cause(
                    f"volume {volume} waits to be attached to node {each.spec.node_name}: the attacher of driver "
                    f"{each.spec.attacher} does not answer, does it run?",
                    steps=(
                        f"kubectl describe volumeattachment {each.metadata.name}",
                        "kubectl get pods --all-namespaces",
                    ),
                )


def _unregistered(snapshot: Snapshot, node: str, driver: str, message: str) -> Cause:
    """Somewhere else it may be."""
    homes = [
        each.metadata.name or ""
        for each in snapshot.all(storage_v1.CSINode)
        if any(known.name == driver for known in each.spec.drivers)
    ]
    there = f"; it is on {listed(homes)}" if homes else ", nor on any other"
    return Cause(
        f"CSI driver {driver} is not registered on node {node}{there}",
        seen=(message,),
        steps=(
            "does its node plugin run there? kubectl get pods --all-namespaces -o wide "
            f"--field-selector spec.nodeName={node}",
        ),
    )


def _attachments(snapshot: Snapshot, volume: str) -> list[storage_v1.VolumeAttachment]:
    return [
        each
        for each in snapshot.all(storage_v1.VolumeAttachment)
        if volume and each.spec.source.persistent_volume_name == volume
    ]


def _is_late(snapshot: Snapshot, attachment: storage_v1.VolumeAttachment) -> bool:
    return snapshot.age(attachment.metadata.creation_timestamp) > LATE_SECONDS

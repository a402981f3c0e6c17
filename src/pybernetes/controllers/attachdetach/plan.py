"""What is to be attached and detached, from what pods want and what there is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from msgspec import Struct

from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import storage_v1 as storage

FORCED_AFTER = 360.0
"""Seconds for which a node that is not healthy may keep a volume that none of its pods wants any more."""

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
CONTROLLER_ATTACHES = "volumes.kubernetes.io/controller-managed-attach-detach"

Detaching = Literal["now", "forced", "in use"]


class Steps(Struct, frozen=True):
    """Of one volume: node names."""

    attach: list[str]
    refused: list[str]
    """Nodes that have to wait because another one has the volume."""
    superfluous: list[str]
    """Nodes that have the volume attached, and need it no more."""


def plan(wanted: Collection[str], attached: Collection[str], *, is_shareable: bool) -> Steps:
    """`attached` are all nodes with a VolumeAttachment, whatever state that is in: the driver may have begun."""
    superfluous = [node for node in attached if node not in wanted]
    missing = [node for node in wanted if node not in attached]
    if is_shareable:
        return Steps(missing, [], superfluous)
    if attached:
        return Steps([], missing, superfluous)
    return Steps(missing[:1], missing[1:], superfluous)


def detaching(node: core.Node | None, volume: str, waited: float) -> Detaching:
    """Whether a superfluous volume (by its unique name) may be detached, `waited` seconds after that was decided."""
    if node is None:
        return "now"
    if any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints):
        return "forced"
    if volume not in node.status.volumes_in_use:
        return "now"
    return "forced" if waited > FORCED_AFTER and not is_healthy(node) else "in use"


def is_healthy(node: core.Node) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)


def needs_volumes(pod: core.Pod, node: core.Node | None) -> bool:
    """Whether a pod that has a node still holds its volumes there."""
    return node is not None and CONTROLLER_ATTACHES in node.metadata.annotations and not _is_over(pod)


def _is_over(pod: core.Pod) -> bool:
    if pod.status.phase in ("Succeeded", "Failed"):
        return True
    states = [each.state for each in pod.status.container_statuses]
    return pod.metadata.deletion_timestamp is not None and not any(
        state is None or state.terminated is None for state in states
    )


def attached_volumes(
    attachments: Iterable[storage.VolumeAttachment], names: Mapping[str, str], leaving: Collection[str]
) -> list[core.AttachedVolume]:
    """What a node's status says; `names` gives unique names by volume, `leaving` are names of attachments."""
    found = {
        names[volume]
        for each in attachments
        if each.status.attached and each.metadata.name not in leaving
        and each.metadata.deletion_timestamp is None
        and (volume := each.spec.source.persistent_volume_name or "") in names
    }  # fmt: skip
    return [core.AttachedVolume(name=name, device_path="") for name in sorted(found)]


def used_elsewhere(namespace: str, users: Iterable[core.Pod]) -> str:
    """Why a volume cannot be had: who has it, of whom only those of the same namespace are named."""
    pods = list(users)
    own = [pod.metadata.name or "" for pod in pods if pod.metadata.namespace == namespace]
    others = len(pods) - len(own)
    if not pods:
        return "Volume is already exclusively attached to one node and can't be attached to another"
    if not own:
        return f"Volume is already used by {others} pod(s) in different namespaces"
    also = f" and {others} pod(s) in different namespaces" if others else ""
    return f"Volume is already used by pod(s) {', '.join(own)}{also}"

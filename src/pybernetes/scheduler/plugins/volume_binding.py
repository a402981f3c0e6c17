"""VolumeBinding: a pod goes where its volumes are, or where those of its unbound claims can be."""

from __future__ import annotations

from pybernetes.api import volumes as match
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import storage_v1 as storage
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.node_selector import matches_term
from pybernetes.scheduler.plugins import Rejection, Verdicts
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.volumes import ClaimKey, Plan, Volumes

NAME = "VolumeBinding"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
NOT_THERE = Rejection(NAME, ("node(s) didn't match PersistentVolume's node affinity",))
NONE_TO_BIND = Rejection(NAME, ("node(s) didn't find available persistent volumes to bind",))
NO_ROOM = Rejection(NAME, ("node(s) did not have enough free storage",))
NO_VOLUME = Rejection(NAME, ("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",))


def blocked(pod: PodInfo, volumes: Volumes) -> Rejection | None:
    """Why no node at all can take the pod, whatever the nodes are."""
    reason = next((reason for key in pod.claims if (reason := _blocked_by(pod, key, volumes))), "")
    return Rejection(NAME, (reason,), of_pod=True) if reason else None


def _blocked_by(pod: PodInfo, key: ClaimKey, volumes: Volumes) -> str:
    claim, name = volumes.claims.get(key), key[1]
    if key in pod.ephemeral_claims:
        if claim is None:
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
        if not any(owner.controller and owner.uid == pod.uid for owner in claim.metadata.owner_references):
            whose = pod.pod.metadata
            return f"PVC {key[0]}/{name} was not created for pod {whose.namespace}/{whose.name} (pod is not owner)"
    if claim is None:
        return f'persistentvolumeclaim "{name}" not found'
    if claim.status.phase == "Lost":
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{claim.spec.volume_name or ""}"'
    if claim.metadata.deletion_timestamp is not None:
        return f'persistentvolumeclaim "{name}" is being deleted'
    if not volumes.is_bound(key) and (claim.spec.volume_name or not volumes.is_delayed(claim)):
        return UNBOUND
    return ""


def verdicts(pod: PodInfo, snapshot: Snapshot) -> Verdicts | None:
    if not pod.claims:
        return None
    volumes = snapshot.volumes
    bound = [volumes.claims[key].spec.volume_name or "" for key in pod.claims if volumes.is_bound(key)]

    def verdict(node: NodeState) -> Rejection | None:
        for name in bound:
            volume = volumes.volumes.get(name)
            if volume is None:
                return NO_VOLUME
            if not is_reachable(volume, node):
                return NOT_THERE
        plan = plan_binding(pod, node, volumes)
        if plan is None:
            return NONE_TO_BIND
        return None if _have_room(plan, node, volumes) else NO_ROOM

    return Verdicts(verdict)


def is_reachable(volume: core.PersistentVolume, node: NodeState) -> bool:
    affinity = volume.spec.node_affinity
    if affinity is None or affinity.required is None:
        return True
    return any(matches_term(term, node) for term in affinity.required.node_selector_terms)


def plan_binding(pod: PodInfo, node: NodeState, volumes: Volumes) -> Plan | None:
    """What the pod's unbound claims get if it runs on this node; None if one of them can get nothing there.

    The smallest claims choose first, so that a large volume is left for those that need it.
    """
    unbound = [key for key in dict.fromkeys(pod.claims) if not volumes.is_bound(key)]
    plan: dict[ClaimKey, str] = {}
    for key in sorted(unbound, key=lambda key: match.requested(volumes.claims[key])):
        claim, given = volumes.claims[key], set(plan.values())
        here = [v for v in volumes.free(key) if v.metadata.name not in given and is_reachable(v, node)]
        found = match.best(claim, here)
        if found is not None:
            plan[key] = found.metadata.name or ""
        elif _can_provide(volumes.classes.get(match.class_of(claim)), claim, node):
            plan[key] = ""
        else:
            return None
    return plan


def _have_room(plan: Plan, node: NodeState, volumes: Volumes) -> bool:
    """Whether what is to be made for this node can be, as far as its drivers tell."""
    for key, name in plan.items():
        claim = volumes.claims[key]
        found = volumes.classes.get(match.class_of(claim))
        if not name and found is not None and not volumes.csi.has_room(found, match.requested(claim), node.labels):
            return False
    return True


def _can_provide(found: storage.StorageClass | None, claim: core.PersistentVolumeClaim, node: NodeState) -> bool:
    """Whether the class makes volumes for this node; one that it makes already stays where it was asked for."""
    if found is None or found.provisioner == NO_PROVISIONER:
        return False
    if claim.metadata.annotations.get(match.SELECTED_NODE, node.name) != node.name:
        return False
    topologies = found.allowed_topologies
    return not topologies or any(
        all(node.labels.get(each.key) in each.values for each in term.match_label_expressions) for term in topologies
    )

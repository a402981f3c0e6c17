"""Who owns the claims of a StatefulSet, so that they go with it, or with a pod that is scaled away (KEP-1847). Pure."""

from __future__ import annotations

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers.ownership import reference
from pybernetes.controllers.statefulset.identity import first_ordinal, ordinal_of


def owners(
    stateful: apps_v1.StatefulSet, pod: core_v1.Pod | None, claim: core_v1.PersistentVolumeClaim
) -> list[meta_v1.OwnerReference]:
    """The owners that the claim of a pod should have; without a pod, those of a claim that is made before its pod.

    `whenDeleted: Delete` gives it to the set, `whenScaled: Delete` to a pod beyond the set's size. A claim that
    somebody else controls is left to them.
    """
    policy = stateful.spec.persistent_volume_claim_retention_policy
    with_set = policy is not None and policy.when_deleted == "Delete"
    with_pod = policy is not None and policy.when_scaled == "Delete"
    condemned = pod is not None and is_beyond(stateful, pod)
    ours = {stateful.metadata.uid, *([pod.metadata.uid] if pod is not None else [])}
    present = claim.metadata.owner_references
    others = [one for one in present if one.uid not in ours and not _is_former_pod(one, pod)]
    if any(one.controller for one in others):
        return present
    if pod is not None and condemned and with_pod:
        return [*others, reference(pod)]
    return [*others, reference(stateful)] if with_set else others


def is_beyond(stateful: apps_v1.StatefulSet, pod: core_v1.Pod) -> bool:
    """Whether the set has become too small for the pod."""
    ordinal, first = ordinal_of(stateful, pod), first_ordinal(stateful)
    size = 1 if stateful.spec.replicas is None else stateful.spec.replicas
    return ordinal is not None and not first <= ordinal < first + size


def _is_former_pod(owner: meta_v1.OwnerReference, pod: core_v1.Pod | None) -> bool:
    """An earlier pod of the same name, which had the claim before."""
    return owner.kind == "Pod" and pod is not None and owner.name == pod.metadata.name

"""Which ResourceClaims a pod has, and who may use one (dynamic resource allocation, KEP-4381)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import resource_v1 as resource

FINALIZER: Final = "resource.kubernetes.io/delete-protection"
"""Of claims that are allocated, or about to be."""
POD_CLAIM_ANNOTATION: Final = "resource.kubernetes.io/pod-claim-name"
"""Of claims that are made of templates: the pod's own name for it."""
MAX_CONSUMERS: Final = 256


class PodClaim(Struct, frozen=True):
    """A claim as a pod names it."""

    name: str
    """In the pod."""
    claim: str
    """The ResourceClaim's; empty while none has been made of the template."""
    template: str = ""
    """What it is made of; empty for a claim that was there before."""


def claims_of(pod: core.Pod) -> Iterator[PodClaim]:
    """The claims that the pod needs; of a template that needs none the status says so."""
    made = {status.name: status.resource_claim_name for status in pod.status.resource_claim_statuses}
    for claim in pod.spec.resource_claims:
        if claim.resource_claim_name:
            yield PodClaim(claim.name, claim.resource_claim_name)
        elif claim.name not in made:
            yield PodClaim(claim.name, "", claim.resource_claim_template_name or "")
        elif (name := made[claim.name]) is not None:
            yield PodClaim(claim.name, name, claim.resource_claim_template_name or "")


def is_made_for(claim: resource.ResourceClaim, pod: core.Pod) -> bool:
    """Whether the pod is the controller of the claim."""
    return any(owner.controller and owner.uid == pod.metadata.uid for owner in claim.metadata.owner_references)


def is_reserved_for(claim: resource.ResourceClaim, pod_uid: str) -> bool:
    return any(consumer.uid == pod_uid for consumer in claim.status.reserved_for)


def can_be_reserved(claim: resource.ResourceClaim) -> bool:
    return len(claim.status.reserved_for) < MAX_CONSUMERS


def consumer(pod: core.Pod) -> resource.ResourceClaimConsumerReference:
    """The pod, as the claims name it that are reserved for it."""
    return resource.ResourceClaimConsumerReference(
        resource="pods", name=pod.metadata.name or "", uid=pod.metadata.uid or ""
    )


def is_done(pod: core.Pod) -> bool:
    """Whether the pod will not run any more."""
    ended = pod.status.phase in ("Succeeded", "Failed")
    return ended or (pod.metadata.deletion_timestamp is not None and not pod.spec.node_name)

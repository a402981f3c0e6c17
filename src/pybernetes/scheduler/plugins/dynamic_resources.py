"""DynamicResources: a pod goes where the devices of its claims are, or where those can be had that it still needs."""

from __future__ import annotations

from pybernetes.api.device_claims import PodClaim, can_be_reserved, claims_of, is_made_for, is_reserved_for
from pybernetes.api.types import resource_v1 as resource
from pybernetes.scheduler.devices.allocator import allocate
from pybernetes.scheduler.devices.matching import AllocationError, SelectorError
from pybernetes.scheduler.devices.requests import alternatives_of
from pybernetes.scheduler.devices.world import Allocations, ClaimKey, Devices
from pybernetes.scheduler.node import NodeState
from pybernetes.scheduler.node_selector import matches_term
from pybernetes.scheduler.plugins import Rejection, Verdicts
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.snapshot import Snapshot

NAME = "DynamicResources"
MAX_LATE = 3
"""Nodes of one decision on which a search may take too long: others wait for it, and there can be thousands of nodes."""
NOT_HERE = Rejection(NAME, ("resourceclaim not available on the node",))
NOT_ENOUGH = Rejection(NAME, ("cannot allocate all claims",))


class LateError(AllocationError):
    """A search took too long."""

    def __init__(self, node: str) -> None:
        super().__init__(f"node {node}: timed out trying to allocate devices")


def blocked(pod: PodInfo, devices: Devices) -> Rejection | None:
    """Why no node at all can take the pod, whatever the nodes are."""
    for one in claims_of(pod.pod):
        if reason := _missing(pod, one, devices):
            return Rejection(NAME, (reason,), of_pod=True, untold=True)
    for key, claim in _claims(pod, devices).items():
        if reason := _blocked_by(pod, key, claim, devices):
            return Rejection(NAME, (reason,), of_pod=True)
    return None


def _missing(pod: PodInfo, one: PodClaim, devices: Devices) -> str:
    """Why the claim cannot be looked at yet."""
    namespace = pod.pod.metadata.namespace or ""
    if not one.claim:
        return f'pod "{pod.key}": ResourceClaim not created yet'
    claim = devices.claims.get((namespace, one.claim))
    if claim is None:
        return f'resourceclaim.resource.k8s.io "{one.claim}" not found'
    if claim.metadata.deletion_timestamp is not None:
        return f'resourceclaim "{one.claim}" is being deleted'
    if one.template and not is_made_for(claim, pod.pod):
        return f"ResourceClaim {namespace}/{one.claim} was not created for pod {pod.key} (pod is not owner)"
    return ""


def _blocked_by(pod: PodInfo, key: ClaimKey, claim: resource.ResourceClaim, devices: Devices) -> str:
    if claim.status.allocation is not None:
        is_free = can_be_reserved(claim) or is_reserved_for(claim, pod.uid)
        return "" if is_free else "resourceclaim in use"
    if key in devices.pending:
        return f"resource claim {'/'.join(key)} is in the process of being allocated"
    return _without_class(claim, devices)


def _without_class(claim: resource.ResourceClaim, devices: Devices) -> str:
    for request in claim.spec.devices.requests if claim.spec.devices else []:
        for name, ask in alternatives_of(request):
            if ask.device_class_name not in devices.classes:
                return f"request {name}: device class {ask.device_class_name} does not exist"
    return ""


def verdicts(pod: PodInfo, snapshot: Snapshot) -> Verdicts | None:
    if not pod.spec.resource_claims:
        return None
    devices = snapshot.devices
    claims = _claims(pod, devices)
    places = [claim.status.allocation.node_selector for claim in claims.values() if claim.status.allocation]
    terms = [selector.node_selector_terms for selector in places if selector is not None]

    late = 0

    def verdict(node: NodeState) -> Rejection | None:
        nonlocal late
        if not all(any(matches_term(term, node) for term in alternatives) for alternatives in terms):
            return NOT_HERE
        if late == MAX_LATE:
            return Rejection(NAME, (str(LateError(node.name)),))
        try:
            return NOT_ENOUGH if plan_allocations(pod, node, devices) is None else None
        except LateError as error:
            late += 1
            return Rejection(NAME, (str(error),))
        except AllocationError as error:
            return Rejection(NAME, (str(error),), of_pod=isinstance(error, SelectorError))

    return Verdicts(verdict)


def plan_allocations(pod: PodInfo, node: NodeState, devices: Devices) -> Allocations | None:
    """What the pod's claims get that have nothing yet, if it runs on this node; None if that cannot be had there.

    Raises AllocationError for what cannot be judged, LateError.
    """
    open_claims = {key: claim for key, claim in _claims(pod, devices).items() if claim.status.allocation is None}
    if not open_claims:
        return {}
    pools, taken = devices.pools.of(node), devices.taken()
    try:
        found = allocate(list(open_claims.values()), devices.classes, pools, taken)
    except TimeoutError as error:
        raise LateError(node.name) from error
    return None if found is None else dict(zip(open_claims, found, strict=True))


def _claims(pod: PodInfo, devices: Devices) -> dict[ClaimKey, resource.ResourceClaim]:
    keys = [(pod.pod.metadata.namespace or "", one.claim) for one in claims_of(pod.pod)]
    return {key: devices.claims[key] for key in keys if key in devices.claims}

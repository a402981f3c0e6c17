"""Claims of pods' templates are made, and those of pods that go to a node without a scheduler are reserved."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from pybernetes.api import errors
from pybernetes.api.device_claims import (
    POD_CLAIM_ANNOTATION,
    PodClaim,
    can_be_reserved,
    claims_of,
    consumer,
    is_made_for,
    is_reserved_for,
)
from pybernetes.api.types import core_v1, meta_v1, resource_v1
from pybernetes.client.cache import Key
from pybernetes.client.patch import PatchType
from pybernetes.controllers.context import Context, KeyedController
from pybernetes.controllers.ownership import CONTROLLER_INDEX, controller_uid

Claim = resource_v1.ResourceClaim
Template = resource_v1.ResourceClaimTemplate
_CLAIMS: Final = "claims"
_MANAGER: Final = "ResourceClaimController"
_MAX_BASE: Final = 57
"""What a generated name may begin with: a hyphen and five characters follow."""


class PodClaimsController(KeyedController):
    """Keys are pods."""

    name = "resourceclaim-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = context.informers.of(core_v1.Pod)
        self.claims = context.informers.of(Claim)
        self.templates = context.informers.of(Template)
        self.recorder = context.recorder("resource_claim")
        self.claims.add_index(CONTROLLER_INDEX, controller_uid)
        self.pods.add_index(_CLAIMS, _claims_of)
        self.pods.subscribe(self._on_pod)
        self.claims.subscribe(self._on_claim)
        self.templates.subscribe(self._on_template)

    def _on_pod(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if new is not None and new.spec.resource_claims:
            self.enqueue(new)

    def _on_claim(self, old: Claim | None, new: Claim | None) -> None:
        """One that is gone is made again for a pod that still needs it; one that is allocated may have to be reserved."""
        if (claim := new or old) is not None:
            for pod in self.pods.by_index(_CLAIMS, f"{claim.metadata.namespace}/{claim.metadata.name}"):
                self.enqueue(pod)

    def _on_template(self, old: Template | None, new: Template | None) -> None:
        if old is None and new is not None:
            namespace = new.metadata.namespace or ""
            for pod in self.pods.list(namespace):
                if any(one.template == new.metadata.name for one in claims_of(pod)):
                    self.enqueue(pod)

    async def reconcile(self, key: Key) -> None:
        pod = self.pods.get(key[1], key[0])
        if pod is None or pod.metadata.deletion_timestamp is not None:
            return
        made = {}
        for one in claims_of(pod):
            if one.template and (claim := await self._ensure(pod, one)) != one.claim:
                made[one.name] = claim
        if made:
            await self._tell(pod, made)
        elif pod.spec.node_name:
            await self._reserve(pod)

    async def _ensure(self, pod: core_v1.Pod, one: PodClaim) -> str:
        """The name of the claim that is made of the template, which is made unless it is there."""
        for found in self.claims.by_index(CONTROLLER_INDEX, pod.metadata.uid or ""):
            if found.metadata.name == one.claim or found.metadata.annotations.get(POD_CLAIM_ANNOTATION) == one.name:
                return found.metadata.name or ""
        try:
            template = self.templates.get(one.template, pod.metadata.namespace or "")
            if template is None:
                what = f'resourceclaimtemplate.resource.k8s.io "{one.template}" not found'
                raise errors.StatusError(404, "NotFound", f'resource claim template "{one.template}": {what}')
            made = await self.client.create(claim_for(pod, one, template))
        except errors.StatusError as error:
            words = f"PodResourceClaim {one.name}: {error.message}"
            self.recorder.event(pod, "Warning", "FailedResourceClaimCreation", words)
            raise
        self.claims.assume(made)
        return made.metadata.name or ""

    async def _tell(self, pod: core_v1.Pod, made: dict[str, str]) -> None:
        """All that were made of templates: what is not applied again would be taken away."""
        known = {one.name: one.claim for one in claims_of(pod) if one.template and one.claim} | made
        statuses = [{"name": name, "resourceClaimName": claim} for name, claim in known.items()]
        name, namespace = pod.metadata.name or "", pod.metadata.namespace or ""
        patch = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "uid": pod.metadata.uid},
            "status": {"resourceClaimStatuses": statuses},
        }
        await self.client.patch(
            core_v1.Pod,
            name,
            namespace,
            patch,
            PatchType.APPLY,
            subresource="status",
            field_manager=_MANAGER,
            force=True,
        )

    async def _reserve(self, pod: core_v1.Pod) -> None:
        for one in claims_of(pod):
            claim = self.claims.get(one.claim, pod.metadata.namespace or "")
            if claim is None or claim.status.allocation is None or (one.template and not is_made_for(claim, pod)):
                continue
            if not is_reserved_for(claim, pod.metadata.uid or "") and can_be_reserved(claim):
                status = replace(claim.status, reserved_for=[*claim.status.reserved_for, consumer(pod)])
                self.claims.assume(await self.client.update_status(replace(claim, status=status)))


def _claims_of(pod: core_v1.Pod) -> list[str]:
    """An index function: the claims that the pod has."""
    if not pod.spec.resource_claims:
        return []
    return [f"{pod.metadata.namespace}/{one.claim}" for one in claims_of(pod) if one.claim]


def claim_for(pod: core_v1.Pod, one: PodClaim, template: Template) -> Claim:
    """The claim that is made of a template for a pod, which owns it. Pure."""
    given = template.spec.metadata or meta_v1.ObjectMeta()
    owner = meta_v1.OwnerReference(
        api_version="v1", kind="Pod", name=pod.metadata.name or "", uid=pod.metadata.uid or "", controller=True
    )
    metadata = meta_v1.ObjectMeta(
        generate_name=base_name(pod.metadata.name or "", one.name),
        namespace=pod.metadata.namespace,
        labels=given.labels,
        annotations={**given.annotations, POD_CLAIM_ANNOTATION: one.name},
        owner_references=[owner],
    )
    return Claim(metadata=metadata, spec=template.spec.spec)


def base_name(pod: str, claim: str) -> str:
    """What the claim's name begins with; of names that are too long each keeps its share."""
    whole = f"{pod}-{claim}-"
    if len(whole) <= _MAX_BASE:
        return whole
    begin = pod[: len(pod) * _MAX_BASE // len(whole)]
    return f"{begin}-{claim[: len(claim) * _MAX_BASE // len(whole)]}"

"""Who the n-th pod of a StatefulSet is: name, labels, hostname, claims. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers.history import REVISION_LABEL
from pybernetes.controllers.ownership import reference

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
POD_INDEX_LABEL = "apps.kubernetes.io/pod-index"
_ORDINAL = re.compile(r"(.+)-([0-9]+)")

replace = msgspec.structs.replace


def ordinal_of(stateful: apps_v1.StatefulSet, pod: core_v1.Pod) -> int | None:
    """The number in a pod's name; None if the name is none of the set's."""
    match = _ORDINAL.fullmatch(pod.metadata.name or "")
    return int(match.group(2)) if match and match.group(1) == stateful.metadata.name else None


def first_ordinal(stateful: apps_v1.StatefulSet) -> int:
    ordinals = stateful.spec.ordinals
    return ordinals.start or 0 if ordinals is not None else 0


def claim_name(stateful: apps_v1.StatefulSet, template: core_v1.PersistentVolumeClaim, ordinal: int) -> str:
    return f"{template.metadata.name}-{stateful.metadata.name}-{ordinal}"


def claims_of(stateful: apps_v1.StatefulSet, ordinal: int) -> list[core_v1.PersistentVolumeClaim]:
    """The claims that the n-th pod mounts."""
    return [
        core_v1.PersistentVolumeClaim(
            metadata=meta_v1.ObjectMeta(
                name=claim_name(stateful, template, ordinal),
                namespace=stateful.metadata.namespace,
                labels={**template.metadata.labels, **stateful.spec.selector.match_labels},
                annotations=template.metadata.annotations,
            ),
            spec=template.spec,
        )
        for template in stateful.spec.volume_claim_templates
    ]


def is_claim_of(stateful: apps_v1.StatefulSet, name: str) -> bool:
    """Whether a claim of this name is one of a pod of the set, whatever its number."""
    begin, _, ordinal = name.rpartition("-")
    templates = {
        f"{template.metadata.name}-{stateful.metadata.name}" for template in stateful.spec.volume_claim_templates
    }
    return begin in templates and ordinal.isdigit()


def identity_labels(stateful: apps_v1.StatefulSet, ordinal: int) -> dict[str, str]:
    """By which one pod of the set can be selected."""
    return {POD_NAME_LABEL: f"{stateful.metadata.name}-{ordinal}", POD_INDEX_LABEL: str(ordinal)}


def pod_of(
    stateful: apps_v1.StatefulSet, template: core_v1.PodTemplateSpec, ordinal: int, revision: str
) -> core_v1.Pod:
    """The n-th pod, of a template whose revision has this name."""
    name = f"{stateful.metadata.name}-{ordinal}"
    labels = {**identity_labels(stateful, ordinal), REVISION_LABEL: revision}
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            name=name,
            namespace=stateful.metadata.namespace,
            labels={**template.metadata.labels, **labels},
            annotations=template.metadata.annotations,
            finalizers=template.metadata.finalizers,
            owner_references=[reference(stateful)],
        ),
        spec=replace(
            template.spec,
            hostname=name,
            subdomain=stateful.spec.service_name or None,
            volumes=_volumes(stateful, template.spec.volumes, ordinal),
        ),
    )


def _volumes(stateful: apps_v1.StatefulSet, volumes: Sequence[core_v1.Volume], ordinal: int) -> list[core_v1.Volume]:
    """The template's volumes; one of a claim's name is replaced by the claim."""
    claimed = [
        core_v1.Volume(
            name=template.metadata.name or "",
            persistent_volume_claim=core_v1.PersistentVolumeClaimVolumeSource(
                claim_name=claim_name(stateful, template, ordinal)
            ),
        )
        for template in stateful.spec.volume_claim_templates
    ]
    names = {volume.name for volume in claimed}
    return [*claimed, *(volume for volume in volumes if volume.name not in names)]

"""The fields that an endpoint ignores in requests, so that writing them there makes no owner.

An object with a status subresource ignores `status`; its status endpoint ignores `spec`. Some kinds say more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pybernetes.api.patch.fields import FieldSet, of_paths

_STATUS: Final = of_paths("status")
_SPEC: Final = of_paths("spec")
_METADATA_AND_SPEC: Final = of_paths("metadata", "spec")

_SPECIAL: Final[Mapping[tuple[str, str, str], FieldSet]] = {
    ("", "pods", "status"): of_paths("spec", "metadata.deletionTimestamp", "metadata.ownerReferences"),
    ("apps", "deployments", "status"): of_paths("spec", "metadata.labels"),
    ("certificates.k8s.io", "certificatesigningrequests", ""): of_paths("spec", "status"),
    ("certificates.k8s.io", "certificatesigningrequests", "approval"): of_paths("spec", "status.certificate"),
    ("certificates.k8s.io", "certificatesigningrequests", "status"): of_paths("spec", "status.conditions"),
    ("flowcontrol.apiserver.k8s.io", "flowschemas", "status"): _METADATA_AND_SPEC,
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "status"): _METADATA_AND_SPEC,
    ("storage.k8s.io", "volumeattachments", "status"): _METADATA_AND_SPEC,
    ("apiregistration.k8s.io", "apiservices", "status"): _METADATA_AND_SPEC,
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", "status"): _METADATA_AND_SPEC,
    ("networking.k8s.io", "servicecidrs", "status"): _METADATA_AND_SPEC,
    ("resource.k8s.io", "resourceclaims", "status"): _METADATA_AND_SPEC,
}


def reset_fields(
    group: str, plural: str, subresource: str = "", *, has_status: bool = True, custom: bool = False
) -> FieldSet:
    """What a write of this endpoint cannot change.

    `has_status` tells whether the resource has a status endpoint, `custom` whether a CRD defines it. Ephemeral
    containers and resizes reset nothing but the status: there, what a request states beyond its purpose changes
    owner although the value stays.
    """
    special = _SPECIAL.get((group, plural, subresource))
    if special is not None:
        return special
    if subresource == "status":
        return _METADATA_AND_SPEC if custom else _SPEC
    return _STATUS if has_status else {}

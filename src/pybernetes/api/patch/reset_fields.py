"""The fields that an endpoint ignores in requests, so that writing them there makes no owner.

An object with a status subresource ignores `status`; its status endpoint ignores `spec`. Some kinds say more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pybernetes.api.patch.fields import MEMBER, FieldSet, of_paths, without

_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class ResetFields:
    """`ignored` fields cannot be written at an endpoint; if there are `only` patterns, nothing else can.

    A pattern is a field set in which `*` stands for any path element.
    """

    ignored: FieldSet
    only: FieldSet | None = None

    def writable(self, fields: FieldSet) -> FieldSet:
        """The part of the set that a request to this endpoint can change."""
        if self.only is not None:
            fields = _matching(fields, self.only)
        return without(fields, self.ignored) if self.ignored else fields


def _matching(fields: FieldSet, pattern: FieldSet) -> FieldSet:
    out: FieldSet = {}
    for element, below in fields.items():
        wanted = pattern.get(element, pattern.get(_ANY)) if element != "." else None
        if wanted is None:
            continue
        kept = _matching(below, wanted) if wanted else below
        if kept or not wanted:
            out[element] = kept
    return out


_NOTHING: Final = ResetFields({})
_STATUS: Final = ResetFields(of_paths("status"))
_SPEC: Final = ResetFields(of_paths("spec"))
_METADATA_AND_SPEC: Final = ResetFields(of_paths("metadata", "spec"))
_RESIZABLE: Final[FieldSet] = {_ANY: {"f:resources": MEMBER, "f:resizePolicy": MEMBER}}

_SPECIAL: Final[Mapping[tuple[str, str, str], ResetFields]] = {
    ("", "pods", "status"): ResetFields(of_paths("spec", "metadata.deletionTimestamp", "metadata.ownerReferences")),
    ("", "pods", "ephemeralcontainers"): ResetFields({}, of_paths("spec.ephemeralContainers")),
    ("", "pods", "resize"): ResetFields({}, {"f:spec": {"f:containers": _RESIZABLE, "f:initContainers": _RESIZABLE}}),
    ("apps", "deployments", "status"): ResetFields(of_paths("spec", "metadata.labels")),
    ("certificates.k8s.io", "certificatesigningrequests", "approval"): ResetFields(
        of_paths("spec", "status.certificate")
    ),
    ("certificates.k8s.io", "certificatesigningrequests", "status"): ResetFields(of_paths("spec", "status.conditions")),
    ("flowcontrol.apiserver.k8s.io", "flowschemas", "status"): _METADATA_AND_SPEC,
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "status"): _METADATA_AND_SPEC,
    ("storage.k8s.io", "volumeattachments", "status"): _METADATA_AND_SPEC,
    ("apiregistration.k8s.io", "apiservices", "status"): _METADATA_AND_SPEC,
}


def reset_fields(
    group: str, plural: str, subresource: str = "", *, has_status: bool = True, custom: bool = False
) -> ResetFields:
    """What a write of this endpoint cannot change.

    `has_status` tells whether the resource has a status endpoint, `custom` whether a CRD defines it.
    """
    special = _SPECIAL.get((group, plural, subresource))
    if special is not None:
        return special
    if subresource == "status":
        return _METADATA_AND_SPEC if custom else _SPEC
    return _STATUS if has_status else _NOTHING

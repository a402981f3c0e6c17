"""Stateful sets."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import (
    non_negative,
    not_more_than_100_percent,
    one_of,
    percent_of,
    positive_int_or_percent,
)
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain, validate_annotations, validate_labels
from pybernetes.api.validation.persistent_volume_claim import validate_claim_spec
from pybernetes.api.validation.workload import (
    SPEC,
    validate_collision_count,
    validate_replica_counts,
    validate_selected_template,
    validate_selector,
)

_MUTABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip
_RETENTIONS = ("Retain", "Delete")


def _create(stateful_set: Tree) -> Errors:
    for index, claim in enumerate(stateful_set["spec"].get("volumeClaimTemplates") or ()):
        yield from validate_claim_spec(claim["spec"], SPEC.child("volumeClaimTemplates").index(index).child("spec"))
    yield from _validate(stateful_set)


def _validate(stateful_set: Tree) -> Errors:
    spec = stateful_set["spec"]
    if spec.get("podManagementPolicy") not in ("OrderedReady", "Parallel"):
        policy = spec.get("podManagementPolicy")
        detail = "must be 'OrderedReady' or 'Parallel'"
        path = SPEC.child("podManagementPolicy")
        yield field.invalid(path, policy, detail) if policy else field.required(path)
    yield from _validate_strategy(spec["updateStrategy"])
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for name in ("whenDeleted", "whenScaled"):
        yield from one_of(retention.get(name), SPEC.child("persistentVolumeClaimRetentionPolicy", name), _RETENTIONS)
    yield from non_negative(spec, SPEC, "replicas", "minReadySeconds")
    yield from non_negative(spec.get("ordinals") or {}, SPEC.child("ordinals"), "start")
    if spec.get("serviceName"):
        yield from complain(SPEC.child("serviceName"), spec["serviceName"], names.dns1123_label(spec["serviceName"]))
    yield from validate_selector(spec.get("selector"), "statefulset")
    yield from validate_selected_template({**spec, "template": _with_claims(spec)}, wrong="", kind="StatefulSet")
    metadata, at = spec["template"].get("metadata") or {}, SPEC.child("template")  # upstream looks at them once more
    yield from validate_labels(metadata.get("labels") or {}, at.child("labels"))
    yield from validate_annotations(metadata.get("annotations") or {}, at.child("annotations"))


def _with_claims(spec: Tree) -> Tree:
    """The template with the volumes that its pods will have of the claim templates, without the names they will have."""
    template: Tree = spec["template"]
    claims = [claim["metadata"].get("name", "") for claim in spec.get("volumeClaimTemplates") or ()]
    kept = [volume for volume in template["spec"].get("volumes") or () if volume["name"] not in claims]
    made = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in dict.fromkeys(claims)]
    pods = {name: value for name, value in template["spec"].items() if name not in ("hostname", "subdomain")}
    return {**template, "spec": {**pods, "volumes": made + kept}}


def _validate_strategy(strategy: Tree) -> Errors:
    path = SPEC.child("updateStrategy")
    kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
    if not kind:
        yield field.required(path)
    elif kind == "OnDelete":
        if rolling is not None:
            detail = "only allowed for updateStrategy 'RollingUpdate'"
            yield field.invalid(path.child("rollingUpdate"), rolling, detail)
    elif kind != "RollingUpdate":
        shown = None if rolling is None else {"Partition": rolling.get("partition", 0), "MaxUnavailable": None}
        yield field.invalid(path, {"Type": kind, "RollingUpdate": shown}, "must be 'RollingUpdate' or 'OnDelete'")
    elif rolling is not None:
        yield from non_negative(rolling, path.child("rollingUpdate"), "partition")
        unavailable = rolling.get("maxUnavailable")
        if unavailable is not None:
            at = path.child("rollingUpdate", "maxUnavailable")
            yield from positive_int_or_percent(unavailable, at)
            if unavailable == 0 or percent_of(unavailable) == 0:
                yield field.invalid(at, unavailable, "cannot be 0")
            yield from not_more_than_100_percent(unavailable, at)


def _update(new: Tree, old: Tree) -> Errors:
    """The templates of claims cannot change, and are not judged again."""
    yield from _validate(new)
    fixed, was = ({k: v for k, v in one["spec"].items() if k not in _MUTABLE} for one in (new, old))
    if fixed != was:
        detail = (
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
            "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
        yield field.forbidden(SPEC, detail)


def _update_status(new: Tree, old: Tree) -> Errors:
    counts = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    new, old = ({**one, "status": one.get("status") or {}} for one in (new, old))
    yield from validate_replica_counts(new["status"], *counts, ready_called="status.readyReplicas")
    yield from validate_collision_count(new, old)


RULES: RulesTable = {
    ("apps", "statefulsets"): Rules(
        _create, _update, names.dns1123_label, update_is_whole=True, subresources={"status": _update_status}
    ),
}

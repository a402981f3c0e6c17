"""Pods: creation, the few changes that are legal, and writes through subresources."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree, copied
from pybernetes.api.validation.common import MAX_INT32
from pybernetes.api.validation.differences import differences
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.pod.gated import validate_narrowing
from pybernetes.api.validation.pod.resize import validate_resize
from pybernetes.api.validation.pod.scheduling import validate_tolerations
from pybernetes.api.validation.pod.spec import validate_pod_spec, validate_pod_template
from pybernetes.api.validation.pod.status import validate_status
from pybernetes.api.validation.pod.volumes import validate_made_claims

SPEC = Path("spec")
_CONTAINER_KINDS = ("containers", "initContainers")
_MUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def _create(pod: Tree) -> Errors:
    yield from _validate(pod)
    spec = pod["spec"]
    if spec.get("ephemeralContainers"):
        yield field.forbidden(SPEC.child("ephemeralContainers"), "cannot be set on create")
    if spec.get("nodeName") and spec.get("schedulingGates"):
        yield field.forbidden(SPEC.child("nodeName"), "cannot be set until all schedulingGates have been cleared")


def _validate(pod: Tree) -> Errors:
    spec = pod["spec"]
    yield from validate_pod_spec(spec, SPEC)
    if volumes := spec.get("volumes"):
        yield from validate_made_claims(volumes, pod["metadata"].get("name", ""), SPEC.child("volumes"))
    for kind in _CONTAINER_KINDS:
        for index, container in enumerate(spec.get(kind) or ()):
            image = container.get("image", "")
            if image != image.strip():
                detail = "must not have leading or trailing whitespace"
                yield field.invalid(SPEC.child(kind).index(index).child("image"), image, detail)
    annotations = pod["metadata"].get("annotations") or {}
    if "kubernetes.io/config.mirror" in annotations and not spec.get("nodeName"):
        path = Path("metadata").child("annotations").key("kubernetes.io/config.mirror")
        mirror = annotations["kubernetes.io/config.mirror"]
        yield field.invalid(path, mirror, "must set spec.nodeName if mirror pod annotation is set")


def _update(new: Tree, old: Tree) -> Errors:
    yield from _validate(new)
    spec, was = new["spec"], old["spec"]
    for kind, called in (("containers", "containers"), ("initContainers", "init containers")):
        if len(spec.get(kind) or ()) != len(was.get(kind) or ()):
            yield field.forbidden(SPEC.child(kind), f"pod updates may not add or remove {called.removeprefix('init ')}")
            return
    for index, container in enumerate(spec.get("containers") or ()):
        if not container.get("image", "").strip():
            yield field.required(SPEC.child("containers").index(index).child("image"))
    yield from _validate_deadline(spec, was)
    yield from _validate_added_tolerations(spec, was)
    gated = was.get("schedulingGates")
    yield from _validate_gates(spec, was)
    if gated:
        yield from validate_narrowing(spec, was, SPEC)
    fixed, before = (_fixed_part(one, was, bool(gated)) for one in (spec, was))
    if fixed != before:
        yield field.forbidden(SPEC, f"{_MUTABLE}\n{differences('core.PodSpec', fixed, before)}")


def _validate_deadline(spec: Tree, was: Tree) -> Errors:
    """It may be set once and then only come nearer."""
    path = SPEC.child("activeDeadlineSeconds")
    new, old = spec.get("activeDeadlineSeconds"), was.get("activeDeadlineSeconds")
    if new is not None:
        if not 0 <= new <= MAX_INT32:
            yield field.invalid(path, new, f"must be between 0 and {MAX_INT32}, inclusive")
        elif old is not None and new > old:
            yield field.invalid(path, new, "must be less than or equal to previous value")
    elif old is not None:
        yield field.invalid(path, new, "must not update from a positive integer to nil value")


def _validate_added_tolerations(spec: Tree, was: Tree) -> Errors:
    """Tolerations may only be added; those with seconds may get other seconds. Upstream looks at all of them again."""
    yield from validate_tolerations(spec.get("tolerations") or [], SPEC.child("tolerations"))
    kept = [_without_seconds(one) for one in spec.get("tolerations") or ()]
    if any(_without_seconds(one) not in kept for one in was.get("tolerations") or ()):
        yield field.forbidden(
            SPEC.child("tolerations"), "existing toleration can not be modified except its tolerationSeconds"
        )


def _without_seconds(toleration: Tree) -> Tree:
    if toleration.get("tolerationSeconds") is None:
        return toleration
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _validate_gates(spec: Tree, was: Tree) -> Errors:
    """Gates may only be removed; a pod that has none does not get any."""
    before = {gate["name"] for gate in was.get("schedulingGates") or ()}
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        if gate["name"] not in before:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate['name']}'"
            yield field.forbidden(SPEC.child("schedulingGates").index(index).child("name"), detail)


def _fixed_part(spec: Tree, was: Tree, gated: bool) -> Tree:
    """The spec without what may differ: what is left of `was` and of the new spec has to be the same."""
    fixed = {
        key: value
        for key, value in spec.items()
        if key not in ("activeDeadlineSeconds", "tolerations", "schedulingGates", *_CONTAINER_KINDS)
    }
    for kind in _CONTAINER_KINDS:
        fixed[kind] = [{k: v for k, v in one.items() if k != "image"} for one in spec.get(kind) or ()]
    if was.get("terminationGracePeriodSeconds", 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        fixed["terminationGracePeriodSeconds"] = was["terminationGracePeriodSeconds"]
    if gated:
        # A pod that waits may still narrow down its nodes.
        fixed.pop("nodeSelector", None)
        fixed["affinity"] = _without_node_affinity(fixed.get("affinity"))
    return fixed


def _without_node_affinity(affinity: Tree | None) -> Tree:
    return {key: value for key, value in (affinity or {}).items() if key != "nodeAffinity"}


def _update_ephemeral(new: Tree, old: Tree) -> Errors:
    """Ephemeral containers are added, never changed or removed."""
    path = SPEC.child("ephemeralContainers")
    merged = copied(old["spec"])
    merged["ephemeralContainers"] = new["spec"].get("ephemeralContainers") or []
    yield from validate_pod_spec(merged, SPEC)
    now = {one["name"]: one for one in merged["ephemeralContainers"]}
    for container in old["spec"].get("ephemeralContainers") or ():
        name = container["name"]
        if name not in now:
            yield field.forbidden(path, f"existing ephemeral containers {field.quote(name)} may not be removed\n")
        elif now[name] != container:
            changed = differences("core.EphemeralContainer", now[name], container)
            detail = f"existing ephemeral containers {field.quote(name)} may not be changed\n{changed}"
            yield field.forbidden(path, detail)


def _create_template(template: Tree) -> Errors:
    yield from validate_pod_template(template["template"], Path("template"))


RULES: RulesTable = {
    ("", "pods"): Rules(
        create=_create,
        update=_update,
        update_is_whole=True,
        subresources={"status": validate_status, "ephemeralcontainers": _update_ephemeral, "resize": validate_resize},
        whole_looks=1,
    ),
    ("", "podtemplates"): Rules(create=_create_template),
}

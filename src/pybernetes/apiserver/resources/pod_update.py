"""What of a pod's spec may change after its creation. Pure."""

from pybernetes.api import field
from pybernetes.api.field import FieldError, Path
from pybernetes.apiserver.context import Tree

WORDS = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
GATED_FIELDS = ("nodeSelector", "affinity")


def changed_fields(new: Tree, old: Tree) -> list[FieldError]:
    """The errors of an update through the pod itself."""
    errors: list[FieldError] = []
    old_spec, new_spec = old["spec"], new["spec"]
    errors += _images(new_spec)
    errors += _deadline(new_spec, old_spec)
    errors += _tolerations(new_spec, old_spec)
    errors += _gates(new_spec, old_spec)
    if _immutable(new_spec, old_spec) != _immutable(old_spec, old_spec):
        # Upstream goes on with a dump of the difference in its own structures.
        errors.append(field.forbidden(Path("spec"), WORDS + "\n" + difference(new_spec, old_spec)))
    return errors


def difference(new: Tree, old: Tree) -> str:
    """The fields that differ, after the header of upstream's dump."""
    changed = sorted(key for key in new.keys() | old.keys() if new.get(key) != old.get(key))
    return "core.PodSpec{" + ", ".join(changed) + "}"


def _immutable(spec: Tree, old: Tree) -> Tree:
    """The spec without what may change (each kind of change has its own check)."""
    kept = {key: value for key, value in spec.items() if key not in ("activeDeadlineSeconds", "tolerations")}
    for kind in ("containers", "initContainers"):
        kept[kind] = [{**container, "image": ""} for container in spec.get(kind) or ()]
    if spec.get("terminationGracePeriodSeconds") == 1 and (old.get("terminationGracePeriodSeconds") or 0) < 0:
        kept["terminationGracePeriodSeconds"] = old.get("terminationGracePeriodSeconds")
    kept.pop("schedulingGates", None)
    if old.get("schedulingGates"):
        for name in GATED_FIELDS:
            kept.pop(name, None)
    return kept


def _images(spec: Tree) -> list[FieldError]:
    return [
        field.required(Path("spec").child(kind).index(index).child("image"))
        for kind in ("containers", "initContainers")
        for index, container in enumerate(spec.get(kind) or ())
        if not container.get("image")
    ]


def _deadline(new: Tree, old: Tree) -> list[FieldError]:
    where = Path("spec").child("activeDeadlineSeconds")
    after, before = new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds")
    if after is None:
        return (
            []
            if before is None
            else [field.invalid(where, None, "must not update from a positive integer to nil value")]
        )
    if after < 0:
        return [field.invalid(where, after, "must be greater than or equal to 0")]
    if before is not None and after > before:
        return [field.invalid(where, after, "must be less than or equal to previous value")]
    return []


def _tolerations(new: Tree, old: Tree) -> list[FieldError]:
    after = [_without_seconds(entry) for entry in new.get("tolerations") or ()]
    for toleration in old.get("tolerations") or ():
        if _without_seconds(toleration) not in after:
            words = "existing toleration can not be modified except its tolerationSeconds"
            return [field.forbidden(Path("spec").child("tolerations"), words)]
    return []


def _without_seconds(toleration: Tree) -> Tree:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _gates(new: Tree, old: Tree) -> list[FieldError]:
    before = {gate["name"] for gate in old.get("schedulingGates") or ()}
    return [
        field.forbidden(
            Path("spec").child("schedulingGates").index(index),
            "only deletion is allowed, but found new scheduling gate '" + gate["name"] + "'",
        )
        for index, gate in enumerate(new.get("schedulingGates") or ())
        if gate["name"] not in before
    ]

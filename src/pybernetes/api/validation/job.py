"""Jobs, and the job specs of cron jobs."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import OMITTED, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import (
    IMMUTABLE,
    immutable,
    is_wrong_selector,
    label_selector,
    non_negative,
    shown_map,
    shown_selector,
)
from pybernetes.api.validation.job_policies import count_indexes, validate_failure_policy, validate_success_policy
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import METADATA, validate_domain_prefixed_path
from pybernetes.api.validation.pod.internal_form import shown_template
from pybernetes.api.validation.pod.spec import validate_pod_template
from pybernetes.api.validation.structures import Structures, shown_struct, structure
from pybernetes.api.validation.workload import selects

SPEC, STATUS = Path("spec"), Path("status")
_MODES = ("NonIndexed", "Indexed")
_REPLACEMENTS = ("Failed", "TerminatingOrFailed")
_COUNTS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
    "backoffLimitPerIndex", "maxFailedIndexes",
)  # fmt: skip
_MAX_INDEXED = 100000
_MAX_OF_MANY = 10000
_DIRECTIVES = ("affinity", "nodeSelector", "tolerations", "schedulingGates", "containers", "initContainers")
"""Of a pod's spec: what a job that waits may change, or change in part."""
_STRUCTURES: Structures = {
    "podFailurePolicy": structure("Rules>FailureRule"),
    "FailureRule": structure("Action:s OnExitCodes>ExitCodes OnPodConditions>Pattern"),
    "ExitCodes": structure("ContainerName Operator:s Values"),
    "Pattern": structure("Type:s Status:s"),
    "successPolicy": structure("Rules>SuccessRule"),
    "SuccessRule": structure("SucceededIndexes SucceededCount"),
}
_PREFIXED = ("batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")


def _create(job: Tree, *, prefixed: bool = True) -> Errors:
    spec = job["spec"]
    if not spec.get("manualSelector") and spec.get("selector") is not None:
        yield from _validate_generated_selector(job, prefixed=prefixed)
    yield from validate_job_spec(spec, SPEC)
    if spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 0:
        last = f"{job['metadata'].get('name', '')}-{spec['completions'] - 1}"
        if names.dns1123_label(last):
            detail = f"will not able to create pod with invalid DNS label: {last}"
            yield field.invalid(METADATA.child("name"), job["metadata"].get("name", ""), detail)


def _validate_generated_selector(job: Tree, *, prefixed: bool) -> Errors:
    """Selector and labels are the server's work, unless the client says that it minds them.

    Jobs of servers of once have the labels without a prefix only.
    """
    spec = job["spec"]
    uid = job["metadata"].get("uid", "")
    expected = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    selector = spec.get("selector") or {}
    found = spec["template"]["metadata"].get("labels") or {}
    path = SPEC.child("template", "metadata", "labels")
    owned = {"controller-uid": uid, "job-name": job["metadata"].get("name", "")}
    if prefixed:
        owned |= {f"batch.kubernetes.io/{key}": value for key, value in owned.items()}
    for key, value in owned.items():
        if key not in found:
            yield field.required(path.key(key), f"must be '{value}'")
        elif found[key] != value:
            yield field.invalid(path.key(key), shown_map(found), f"must be '{value}'")
    differs = (selector.get("matchLabels") or {}) != expected["matchLabels"] or selector.get("matchExpressions")
    if differs and not is_wrong_selector(selector):
        yield field.invalid(SPEC.child("selector"), shown_selector(selector), "`selector` not auto-generated")


def validate_job_spec(spec: Tree, path: Path) -> Errors:
    """A job's spec with its selector."""
    yield from validate_job_template_spec(spec, path)
    selector = spec.get("selector")
    if selector is None:
        yield field.required(path.child("selector"))
    else:
        yield from label_selector(selector, path.child("selector"))
    found = spec["template"]["metadata"].get("labels") or {}
    if not selects(selector, found):
        at = path.child("template", "metadata", "labels")
        yield field.invalid(at, shown_map(found) or None, "`selector` does not match template `labels`")


def validate_job_template_spec(spec: Tree, path: Path) -> Errors:
    """What holds for a job's spec even where no job has been made of it."""
    yield from non_negative(spec, path, *_COUNTS)
    yield from _validate_index_limits(spec, path)
    if spec.get("completionMode") is not None:
        yield from _validate_mode(spec, path)
    if spec.get("podFailurePolicy") is not None:
        yield from validate_failure_policy(spec, path.child("podFailurePolicy"))
    if spec.get("successPolicy") is not None:
        yield from validate_success_policy(spec, path.child("successPolicy"))
    yield from _validate_replacement(spec, path)
    managed_by = spec.get("managedBy")
    if managed_by is not None:
        yield from validate_domain_prefixed_path(managed_by, path.child("managedBy"))
        if len(managed_by) > 63:
            yield field.too_long(path.child("managedBy"), 63)
    yield from validate_pod_template(spec["template"], path.child("template"))
    yield from _validate_restart_policy(spec, path.child("template", "spec", "restartPolicy"))


def _validate_index_limits(spec: Tree, path: Path) -> Errors:
    if spec.get("completionMode") in (None, "NonIndexed"):
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(name) is not None:
                yield field.invalid(path.child(name), spec[name], "requires indexed completion mode")
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        at = path.child("backoffLimitPerIndex")
        yield field.required(at, "when maxFailedIndexes is specified")


def _validate_mode(spec: Tree, path: Path) -> Errors:
    mode = spec["completionMode"]
    if mode not in _MODES:
        yield field.not_supported(path.child("completionMode"), mode, _MODES)
    elif mode == "Indexed":
        if spec.get("completions") is None:
            yield field.required(path.child("completions"), f"when completion mode is {mode}")
        if spec.get("parallelism", 0) > _MAX_INDEXED:
            detail = f"must be less than or equal to {_MAX_INDEXED} when completion mode is {mode}"
            yield field.invalid(path.child("parallelism"), spec["parallelism"], detail)
        yield from _validate_failed_indexes(spec, path)


def _validate_failed_indexes(spec: Tree, path: Path) -> Errors:
    """More indexes may fail only up to a limit, which is lower for jobs of very many."""
    completions, failed, at = spec.get("completions"), spec.get("maxFailedIndexes"), path.child("maxFailedIndexes")
    if completions is not None and failed is not None and failed > completions:
        yield field.invalid(at, failed, "must be less than or equal to completions")
    if failed is not None and failed > _MAX_INDEXED:
        yield field.invalid(at, failed, f"must be less than or equal to {_MAX_INDEXED}")
    if (completions or 0) <= _MAX_INDEXED or spec.get("backoffLimitPerIndex") is None:
        return
    if failed is None:
        yield field.required(at, f"must be specified when completions is above {_MAX_INDEXED}")
    many = f"when completions are above {_MAX_INDEXED} and used with backoff limit per index"
    for name in ("parallelism", "maxFailedIndexes"):
        if (spec.get(name) or 0) > _MAX_OF_MANY:
            yield field.invalid(path.child(name), spec[name], f"must be less than or equal to {_MAX_OF_MANY} {many}")


def _validate_replacement(spec: Tree, path: Path) -> Errors:
    policy = spec.get("podReplacementPolicy")
    if policy is None:
        return
    at = path.child("podReplacementPolicy")
    if spec.get("podFailurePolicy") is not None:
        if policy != "Failed":
            yield field.not_supported(at, policy, ("Failed",))
    elif policy not in _REPLACEMENTS:
        yield field.not_supported(at, policy, _REPLACEMENTS)


def _validate_restart_policy(spec: Tree, path: Path) -> Errors:
    policy = spec["template"]["spec"].get("restartPolicy", "")
    if policy in ("", "Always"):
        yield field.required(path, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield field.not_supported(path, policy, ("OnFailure", "Never"))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        yield field.invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')


def _update(new: Tree, old: Tree) -> Errors:
    spec, was = new["spec"], old["spec"]
    labels = was["template"]["metadata"].get("labels") or {}
    yield from _create(new, prefixed=all(key in labels for key in _PREFIXED))
    yield from validate_job_spec(spec, SPEC)
    if spec.get("completionMode") != "Indexed" or spec.get("completions") != spec.get("parallelism"):
        indexed = spec.get("completionMode") == "Indexed" and spec.get("completions") is not None
        detail = "can only be modified in tandem with spec.parallelism" if indexed else IMMUTABLE
        at = SPEC.child("completions")
        yield from immutable(spec.get("completions"), was.get("completions"), at, detail=detail)
    selector = spec.get("selector")
    shown = shown_selector(selector) if selector else None
    yield from immutable(selector, was.get("selector"), SPEC.child("selector"), shown)
    if _may_direct(old):
        fixed = [_without_directives(one["template"]["spec"]) for one in (spec, was)]
        shown = shown_template(spec["template"])["Spec"]
        yield from immutable(fixed[0], fixed[1], SPEC.child("template", "spec"), shown)
    else:
        shown = shown_template(spec["template"])
        yield from immutable(spec["template"], was["template"], SPEC.child("template"), shown)
    for name in ("completionMode", "backoffLimitPerIndex", "managedBy"):
        yield from immutable(spec.get(name), was.get(name), SPEC.child(name))
    for name in ("podFailurePolicy", "successPolicy"):
        shown = shown_struct(spec.get(name), name, _STRUCTURES)
        yield from immutable(spec.get(name), was.get(name), SPEC.child(name), shown)


def _may_direct(job: Tree) -> bool:
    """Whether it waits: then it may still be told what its pods need and where they go (KEP-2926, KEP-5440)."""
    status = job.get("status") or {}
    halted = any(one["type"] == "Suspended" and one["status"] == "True" for one in status.get("conditions") or ())
    waits = bool(job["spec"].get("suspend")) and (status.get("startTime") is None or halted)
    return waits and not status.get("active")


def _without_directives(spec: Tree) -> Tree:
    rest = {name: value for name, value in spec.items() if name not in _DIRECTIVES}
    affinity = {name: value for name, value in (spec.get("affinity") or {}).items() if name != "nodeAffinity"}
    if affinity:
        rest["affinity"] = affinity
    for kind in ("containers", "initContainers"):
        if spec.get(kind):
            rest[kind] = [{name: value for name, value in one.items() if name != "resources"} for one in spec[kind]]
    return rest


def _validate_status_indexes(spec: Tree, status: Tree) -> Errors:
    completions, done, failed = spec.get("completions"), status.get("completedIndexes", ""), status.get("failedIndexes")
    if completions is not None:
        yield from _validate_index_list("completedIndexes", done, completions)
        if failed is not None and spec.get("backoffLimitPerIndex") is not None:
            yield from _validate_index_list("failedIndexes", failed, completions)
    if done and spec.get("completionMode") != "Indexed":
        detail = "cannot set non-empty completedIndexes when non-indexed completion mode"
        yield field.invalid(STATUS.child("completedIndexes"), done, detail)
    if failed is not None and spec.get("backoffLimitPerIndex") is None:
        detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        yield field.invalid(STATUS.child("failedIndexes"), failed, detail)


def _validate_index_list(name: str, text: str, completions: int) -> Errors:
    try:
        count_indexes(text, completions)
    except ValueError as error:
        yield field.invalid(STATUS.child(name), text, f"error parsing {name}: {error}")


def _validate_uncounted(status: Tree) -> Errors:
    taken: set[str] = set()
    for name in ("succeeded", "failed"):
        for index, uid in enumerate((status.get("uncountedTerminatedPods") or {}).get(name) or ()):
            at = STATUS.child("uncountedTerminatedPods", name).index(index)
            if not uid:
                yield field.invalid(at, uid, "must not be empty")
            elif uid in taken:
                yield field.duplicate(at, uid)
            taken.add(uid)


def _update_status(new: Tree, old: Tree) -> Errors:
    status, was = new.get("status") or {}, old.get("status") or {}
    yield from non_negative(status, STATUS, "active", "succeeded", "failed", "ready", "terminating")
    yield from _validate_status_indexes(new["spec"], status)
    yield from _validate_uncounted(status)
    ready, active = status.get("ready") or 0, status.get("active", 0)
    is_changed = ready != (was.get("ready") or 0) or active != was.get("active", 0)
    if ready > active and is_changed:
        yield field.invalid(STATUS.child("ready"), ready, "cannot set more ready pods than active")
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    complete, failed = conditions.get("Complete") == "True", conditions.get("Failed") == "True"
    for name in ("succeeded", "failed"):
        if status.get(name, 0) < was.get(name, 0):
            yield field.invalid(STATUS.child(name), status.get(name, 0), f"cannot decrease the {name} counter")
    if complete and failed:
        yield field.invalid(STATUS.child("conditions"), OMITTED, "cannot set Complete=True and Failed=True conditions")
    if (complete or failed) and status.get("startTime") is None:
        yield field.required(STATUS.child("startTime"), "startTime is required for finished job")
    if complete and status.get("completionTime") is None:
        yield field.required(STATUS.child("completionTime"), "completionTime is required for Complete jobs")
    if not complete and status.get("completionTime") is not None:
        detail = "cannot set completionTime when there is no Complete=True condition"
        yield field.invalid(STATUS.child("completionTime"), status["completionTime"], detail)
    for done, cause, kind in ((complete, "SuccessCriteriaMet", "Complete"), (failed, "FailureTarget", "Failed")):
        if done and conditions.get(cause) != "True":
            detail = f"cannot set {kind}=True condition without the {cause}=true condition"
            yield field.invalid(STATUS.child("conditions"), OMITTED, detail)
    if (complete or failed) and status.get("active", 0) > 0:
        yield field.invalid(STATUS.child("active"), status["active"], "active>0 is invalid for finished job")


RULES: RulesTable = {
    ("batch", "jobs"): Rules(
        _create, _update, update_is_whole=True, subresources={"status": _update_status}, whole_looks=1
    )
}

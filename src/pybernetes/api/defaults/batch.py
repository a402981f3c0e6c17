"""Jobs and cron jobs. A cron job's template gets its defaults when it becomes a job, apart from its pods."""

from __future__ import annotations

from pybernetes.api.defaults.table import Default, fields, set_absent, set_empty
from pybernetes.api.tree import Tree

_MAX_INT32 = 2**31 - 1


def _job(job: Tree) -> None:
    spec = job["spec"]
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    set_absent(spec, "parallelism", 1)
    # Where each index has its own limit, the job as a whole has none.
    set_absent(spec, "backoffLimit", 6 if spec.get("backoffLimitPerIndex") is None else _MAX_INT32)
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels:
        set_empty(job["metadata"], "labels", labels)  # the very same, so that what is added there is added here
    set_absent(spec, "completionMode", "NonIndexed")
    set_absent(spec, "suspend", False)
    set_absent(spec, "podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    set_absent(spec, "manualSelector", False)


def _pod_condition(pattern: Tree) -> None:
    set_empty(pattern, "status", "True")


DEFAULTS: dict[str, Default] = {
    "batch.v1.Job": _job,
    "batch.v1.PodFailurePolicyOnPodConditionsPattern": _pod_condition,
    "batch.v1.CronJobSpec": fields(
        concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1
    ),
}

"""What `podFailurePolicy` says of a failed pod, and `successPolicy` of the indexes that are done. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers.job import indexes


class Match(Struct, frozen=True):
    """What is done about a failed pod: Count, Ignore, FailIndex or FailJob, and the words for the last."""

    action: str
    message: str = ""


COUNT = Match("Count")


def judge(job: batch_v1.Job, pod: core_v1.Pod) -> Match:
    """By the first rule that matches; a failure that none matches counts towards the back-off limit."""
    policy = job.spec.pod_failure_policy
    for number, rule in enumerate(policy.rules if policy is not None else ()):
        if (words := _matched(rule, pod)) is None:
            continue
        if rule.action == "FailIndex" and job.spec.backoff_limit_per_index is None:
            continue
        return Match(rule.action, f"{words} matching {rule.action} rule at index {number}")
    return COUNT


def _matched(rule: batch_v1.PodFailurePolicyRule, pod: core_v1.Pod) -> str | None:
    """What of the pod matches the rule, as upstream words it; None if nothing does."""
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    if rule.on_exit_codes is not None:
        found = _container_matching(rule.on_exit_codes, pod.status)
        return None if found is None else f"Container {found[0]} for pod {name} failed with exit code {found[1]}"
    wanted = {(pattern.type, pattern.status or "True") for pattern in rule.on_pod_conditions}
    matched = next((one.type for one in pod.status.conditions if (one.type, one.status) in wanted), None)
    return None if matched is None else f"Pod {name} has condition {matched}"


def _container_matching(
    rule: batch_v1.PodFailurePolicyOnExitCodesRequirement, status: core_v1.PodStatus
) -> tuple[str, int] | None:
    """Name and exit code of the first container that failed as the rule says."""
    for found in (*status.container_statuses, *status.init_container_statuses):
        ended = found.state.terminated if found.state is not None else None
        if ended is None or not ended.exit_code or rule.container_name not in (None, found.name):
            continue
        if (ended.exit_code in rule.values) == (rule.operator == "In"):
            return found.name, ended.exit_code
    return None


def success_rule(policy: batch_v1.SuccessPolicy | None, done: set[int]) -> int | None:
    """The first rule that holds with these indexes done; None if none does."""
    rules: Sequence[batch_v1.SuccessPolicyRule] = policy.rules if policy is not None and done else ()
    for number, rule in enumerate(rules):
        required = indexes.parse(rule.succeeded_indexes or "")
        if rule.succeeded_indexes is not None and not required:
            continue
        found = done & required if required else done
        enough = rule.succeeded_count is not None and len(found) >= rule.succeeded_count
        if enough or (required and found == required):
            return number
    return None

"""The pods of something that keeps several of them."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import pod
from pybernetes.explain.causes import Cause, merged
from pybernetes.explain.snapshot import Snapshot


def causes(snapshot: Snapshot, pods: Iterable[v1.Pod]) -> tuple[Cause, ...]:
    """What holds up those that are not well; pods in the same trouble count as one cause."""
    findings = (pod.explain(snapshot, each) for each in pods)
    return merged(finding.as_cause() for finding in findings if finding.is_broken)


def is_ready(each: v1.Pod) -> bool:
    return pod.condition_true(each, "Ready") and each.metadata.deletion_timestamp is None

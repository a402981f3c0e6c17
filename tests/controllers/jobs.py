"""Jobs and their pods, for tests."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.controllers.job import backoff, indexes, plan

NOW = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)


def job(status: batch_v1.JobStatus | None = None, **spec: Any) -> batch_v1.Job:
    template = core_v1.PodTemplateSpec(spec=core_v1.PodSpec(containers=[], restart_policy="Never"))
    return batch_v1.Job(
        metadata=meta_v1.ObjectMeta(name="j"), spec=batch_v1.JobSpec(template=template, **spec), status=status or batch_v1.JobStatus()
    )  # fmt: skip


def pod(name: str, phase: str = "Running", *, deleting: bool = False, bound: bool = True) -> core_v1.Pod:
    meta = meta_v1.ObjectMeta(
        name=name, namespace="n", uid=name, finalizers=[plan.FINALIZER] if bound else [], deletion_timestamp="2026-01-01T00:00:00Z" if deleting else None
    )  # fmt: skip
    return core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[]), status=core_v1.PodStatus(phase=phase))


def indexed(name: str, index: int, failures: int = 0, **given: Any) -> core_v1.Pod:
    made = pod(name, **given)
    marks = {indexes.ANNOTATION: str(index), backoff.FAILURES: str(failures)}
    return msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, annotations=marks))


def ended(found: core_v1.Pod, code: int, container: str = "c", at: str = "2026-01-01T00:09:55Z") -> core_v1.Pod:
    state = core_v1.ContainerState(terminated=core_v1.ContainerStateTerminated(exit_code=code, finished_at=at))
    told = core_v1.ContainerStatus(
        name=container, state=state, image="i", image_id="", ready=False, restart_count=0
    )  # fmt: skip
    return msgspec.structs.replace(found, status=msgspec.structs.replace(found.status, container_statuses=[told]))


def on_exit(
    action: str, *values: int, operator: str = "In", container: str | None = None
) -> batch_v1.PodFailurePolicyRule:
    codes = batch_v1.PodFailurePolicyOnExitCodesRequirement(
        operator=operator, values=list(values), container_name=container
    )
    return batch_v1.PodFailurePolicyRule(action=action, on_exit_codes=codes)


def failure_policy(*rules: batch_v1.PodFailurePolicyRule) -> batch_v1.PodFailurePolicy:
    return batch_v1.PodFailurePolicy(rules=list(rules))

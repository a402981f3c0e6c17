"""The pods of a Job as they are made. Pure."""

from __future__ import annotations

import msgspec

from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers.job import backoff, indexes, policies
from pybernetes.controllers.podcontrol import pod_from_template

FINALIZER = "batch.kubernetes.io/job-tracking"
VARIABLE = "JOB_COMPLETION_INDEX"
LONGEST_PREFIX = 58
"""Five characters of a generated name are the server's."""

replace = msgspec.structs.replace


def pod_of(job: batch_v1.Job) -> core_v1.Pod:
    """The pod of a Job without indexes; with the finalizer that keeps it until it is counted."""
    pod = pod_from_template(job, job.spec.template)
    return replace(pod, metadata=replace(pod.metadata, finalizers=[*pod.metadata.finalizers, FINALIZER]))


def pod_of_index(job: batch_v1.Job, index: int, last: core_v1.Pod | None) -> core_v1.Pod:
    """The index is in the pod's name, hostname, label, annotation and environment.

    `last` is the pod that failed for it before, where failures are counted per index.
    """
    pod, marks = pod_of(job), {indexes.ANNOTATION: str(index)}
    annotations = {**pod.metadata.annotations, **marks}
    if job.spec.backoff_limit_per_index is not None:
        ignored = last is not None and policies.judge(job, last).action == "Ignore"
        annotations |= backoff.annotations_of_next(last, ignored=ignored)
    suffix = f"-{index}-"
    return replace(
        pod,
        metadata=replace(
            pod.metadata,
            generate_name=(job.metadata.name or "")[: LONGEST_PREFIX - len(suffix)] + suffix,
            labels={**pod.metadata.labels, **marks},
            annotations=annotations,
        ),
        spec=replace(
            pod.spec,
            hostname=f"{job.metadata.name}-{index}",
            containers=[_with_index(found) for found in pod.spec.containers],
            init_containers=[_with_index(found) for found in pod.spec.init_containers],
        ),
    )


def _with_index(container: core_v1.Container) -> core_v1.Container:
    """The container with the variable, unless the template sets it itself."""
    if any(found.name == VARIABLE for found in container.env):
        return container
    source = core_v1.ObjectFieldSelector(field_path=f"metadata.labels['{indexes.ANNOTATION}']")
    variable = core_v1.EnvVar(name=VARIABLE, value_from=core_v1.EnvVarSource(field_ref=source))
    return replace(container, env=[*container.env, variable])

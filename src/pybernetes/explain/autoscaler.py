"""HorizontalPodAutoscalers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pybernetes.api.scheme import by_kind, type_of
from pybernetes.api.types import autoscaling_v2 as v2
from pybernetes.explain import terminating
from pybernetes.explain.causes import Cause, Finding, Ref
from pybernetes.explain.nearest import hint
from pybernetes.explain.snapshot import Snapshot, condition, ref

_NO_REQUEST = re.compile(r"missing request for (?P<resource>\w+) in container (?P<container>\S+) of Pod")


def explain(snapshot: Snapshot, autoscaler: v2.HorizontalPodAutoscaler) -> Finding:
    """An autoscaler: what it measures and wants, or why it cannot."""
    if autoscaler.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, autoscaler)
    causes = tuple(_causes(snapshot, autoscaler))
    status, spec = autoscaler.status, autoscaler.spec
    target = f"{spec.scale_target_ref.kind.lower()}/{spec.scale_target_ref.name}"
    if causes:
        return Finding(ref(autoscaler), f"does not scale {target}", causes)
    if condition(status.conditions, "ScalingActive") is None:
        return Finding(ref(autoscaler), f"has not looked at {target} yet", working=True)
    limited = condition(status.conditions, "ScalingLimited")
    bound = f"; {limited.message}" if limited is not None and limited.status == "True" else ""
    bounds = f"between {spec.min_replicas or 1} and {spec.max_replicas}"
    return Finding(ref(autoscaler), f"keeps {target} at {status.desired_replicas} replicas, {bounds}{bound}")


def _causes(snapshot: Snapshot, autoscaler: v2.HorizontalPodAutoscaler) -> Iterator[Cause]:
    target, namespace = autoscaler.spec.scale_target_ref, autoscaler.metadata.namespace or ""
    able = condition(autoscaler.status.conditions, "AbleToScale")
    kind = by_kind(target.api_version or "v1", target.kind)
    typed = type_of(kind) if kind is not None else None
    said = (able.message,) if able is not None and able.status == "False" else ()
    if typed is not None and typed in snapshot.objects and snapshot.is_missing(typed, target.name, namespace):
        what = f"its target {target.kind.lower()} {target.name} does not exist{hint(target.name, snapshot.names(typed, namespace))}"
        yield Cause(what, seen=said, steps=(snapshot.command("edit", ref(autoscaler)),))
        return
    if said:
        yield Cause("its target cannot be scaled", seen=said, steps=(snapshot.command("describe", ref(autoscaler)),))
    active = condition(autoscaler.status.conditions, "ScalingActive")
    if active is not None and active.status == "False":
        yield _inactive(snapshot, autoscaler, active)


def _inactive(
    snapshot: Snapshot, autoscaler: v2.HorizontalPodAutoscaler, active: v2.HorizontalPodAutoscalerCondition
) -> Cause:
    target, said = autoscaler.spec.scale_target_ref, active.message or ""
    top = Ref(target.kind.lower(), target.name, autoscaler.metadata.namespace or "")
    if found := _NO_REQUEST.search(said):
        resource, container = found["resource"], found["container"]
        what = f"it is to hold a percentage of the {resource} request, and container {container} of {top} has none"
        amount = "200m" if resource == "cpu" else "64Mi"
        return Cause(
            what,
            seen=(said,),
            steps=(snapshot.command("set resources", top, f"-c {container} --requests={resource}={amount}"),),
        )
    if active.reason == "ScalingDisabled":
        return Cause(
            f"{top} is scaled to 0, which switches the autoscaler off",
            seen=(said,),
            steps=(snapshot.command("scale", top, "--replicas=1"),),
        )
    if "no metrics returned" in said or "did not receive metrics" in said:
        return Cause(
            "there are no measurements of its pods yet",
            seen=(said,),
            steps=("kubectl top pods" + snapshot.within(top.namespace), snapshot.command("get", top)),
        )
    return Cause("it gets no measurements", seen=(said,), steps=(snapshot.command("describe", ref(autoscaler)),))

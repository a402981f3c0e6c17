"""HorizontalPodAutoscalers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pybernetes.api.scheme import by_kind, type_of
from pybernetes.api.types import apiregistration_v1 as registration
from pybernetes.api.types import apps_v1
from pybernetes.api.types import autoscaling_v2 as v2
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types.base import Object
from pybernetes.explain import api_service, terminating
from pybernetes.explain.causes import Cause, Finding, Ref
from pybernetes.explain.nearest import hint
from pybernetes.explain.snapshot import Snapshot, condition, ref
from pybernetes.explain.terms import listed

SOON_SECONDS = 60.0
ENOUGH = {"cpu": "200m", "memory": "64Mi"}


_NO_API = re.compile(
    r"unable to get (?:external metric|metric|metrics for resource) (?P<metric>[^:]+): "
    r"unable to fetch metrics from (?P<which>custom|external|resource) metrics API"
)


def explain(snapshot: Snapshot, autoscaler: v2.HorizontalPodAutoscaler) -> Finding:
    """An autoscaler: what it measures and wants, or why it cannot."""
    if autoscaler.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, autoscaler)
    status, spec, target = autoscaler.status, autoscaler.spec, target_ref(autoscaler)
    if causes := tuple(_causes(snapshot, autoscaler)):
        return Finding(ref(autoscaler), f"does not scale {target}", causes)
    active = condition(status.conditions, "ScalingActive")
    if active is None or active.status == "False":
        return Finding(ref(autoscaler), f"has not looked at {target} yet", working=True)
    limited = condition(status.conditions, "ScalingLimited")
    bound = f"; {limited.message}" if limited is not None and limited.status == "True" else ""
    bounds = f"between {spec.min_replicas or 1} and {spec.max_replicas}"
    return Finding(ref(autoscaler), f"keeps {target} at {status.desired_replicas} replicas, {bounds}{bound}")


def target_ref(autoscaler: v2.HorizontalPodAutoscaler) -> Ref:
    target = autoscaler.spec.scale_target_ref
    return Ref(target.kind.lower(), target.name, autoscaler.metadata.namespace or "")


def _causes(snapshot: Snapshot, autoscaler: v2.HorizontalPodAutoscaler) -> Iterator[Cause]:
    target, namespace = autoscaler.spec.scale_target_ref, autoscaler.metadata.namespace or ""
    able = condition(autoscaler.status.conditions, "AbleToScale")
    kind = by_kind(target.api_version or "v1", target.kind)
    typed = type_of(kind) if kind is not None else None
    said = (able.message or "",) if able is not None and able.status == "False" else ()
    if typed in snapshot.objects and typed is not None and snapshot.is_missing(typed, target.name, namespace):
        what = f"its target {target.kind.lower()} {target.name} does not exist"
        close = hint(target.name, snapshot.names(typed, namespace))
        yield Cause(what + close, seen=said, steps=(snapshot.command("edit", ref(autoscaler)),))
        return
    if said:
        yield Cause("its target cannot be scaled", seen=said, steps=(snapshot.command("describe", ref(autoscaler)),))
    active = condition(autoscaler.status.conditions, "ScalingActive")
    scaled = snapshot.get(typed, target.name, namespace) if typed is not None else None
    if active is not None and active.status == "False" and not _is_early(snapshot, autoscaler, active):
        yield from _without_requests(snapshot, autoscaler, scaled, active) or [_inactive(snapshot, autoscaler, active)]


def _is_early(
    snapshot: Snapshot, autoscaler: v2.HorizontalPodAutoscaler, active: v2.HorizontalPodAutoscalerCondition
) -> bool:
    """Nobody has been measured in its first minute; what is wrong with its target's requests can be seen before."""
    scaled = snapshot.get(
        apps_v1.Deployment, autoscaler.spec.scale_target_ref.name, autoscaler.metadata.namespace or ""
    )
    return (
        _has_no_readings(active.message or "")
        and snapshot.age(autoscaler.metadata.creation_timestamp) < SOON_SECONDS
        and not _without_requests(snapshot, autoscaler, scaled, active)
    )


def _has_no_readings(said: str) -> bool:
    return "no metrics returned" in said or "did not receive metrics" in said


def _without_requests(
    snapshot: Snapshot,
    autoscaler: v2.HorizontalPodAutoscaler,
    scaled: Object | None,
    active: v2.HorizontalPodAutoscalerCondition,
) -> list[Cause]:
    """A percentage of requests is asked for that containers do not make."""
    if not isinstance(scaled, apps_v1.Deployment | apps_v1.StatefulSet | apps_v1.ReplicaSet):
        return []
    spec = scaled.spec.template.spec if scaled.spec.template else None
    asked = [
        metric.resource.name
        for metric in autoscaler.spec.metrics
        if metric.resource is not None and metric.resource.target.type == "Utilization"
    ]
    target = target_ref(autoscaler)
    found = []
    for resource in asked:
        as_a_whole = spec is not None and spec.resources is not None and resource in spec.resources.requests
        containers = spec.containers if spec is not None and not as_a_whole else []
        without = [each.name for each in containers if not _requests(each, resource)]
        if without:
            what = f"it is to hold a percentage of the {resource} request, and container {listed(without)} of {target} has none"
            flags = f"-c {without[0]} --requests={resource}={ENOUGH.get(resource, 'AMOUNT')}"
            step = snapshot.command("set resources", target, flags)
            found.append(Cause(what, seen=(active.message or "",), steps=(step,)))
    return found


def _requests(container: v1.Container, resource: str) -> bool:
    """A limit stands for a request that is not made."""
    given = container.resources
    return given is not None and (resource in given.requests or resource in given.limits)


def _inactive(
    snapshot: Snapshot, autoscaler: v2.HorizontalPodAutoscaler, active: v2.HorizontalPodAutoscalerCondition
) -> Cause:
    target, seen = target_ref(autoscaler), (active.message or "",)
    if active.reason == "ScalingDisabled":
        step = snapshot.command("scale", target, "--replicas=1")
        return Cause(f"{target} is scaled to 0, which switches the autoscaler off", seen=seen, steps=(step,))
    if _has_no_readings(seen[0]):
        steps = (
            "kubectl top pods" + snapshot.within(target.namespace),
            f"p8s why {target}{snapshot.within(target.namespace)}",
        )
        return Cause("there are no measurements of its pods yet", seen=seen, steps=steps)
    if (found := _NO_API.search(seen[0])) and not _is_served(snapshot, found["which"]):
        return _without_api(snapshot, found["which"], found["metric"], seen)
    return Cause("it gets no measurements", seen=seen, steps=(snapshot.command("describe", ref(autoscaler)),))


def _group(which: str) -> str:
    return "metrics.k8s.io" if which == "resource" else f"{which}.metrics.k8s.io"


def _services(snapshot: Snapshot, which: str) -> list[registration.APIService]:
    return [each for each in snapshot.all(registration.APIService) if each.spec.group == _group(which)]


def _is_served(snapshot: Snapshot, which: str) -> bool:
    found = _services(snapshot, which)
    return bool(found) and not any(api_service.explain(snapshot, each).is_broken for each in found)


def _without_api(snapshot: Snapshot, which: str, metric: str, seen: tuple[str, ...]) -> Cause:
    """Those of cpu and memory are an addon; others come from a server that somebody has to install."""
    group, served = _group(which), _services(snapshot, which)
    because = tuple(finding.as_cause() for each in served if (finding := api_service.explain(snapshot, each)).is_broken)
    what = f"nothing serves metric {metric}: " + (
        f"API {group} does not answer" if served else f"there is no API {group}"
    )
    mend = f"install a server of {group} (prometheus-adapter, say); cpu and memory need none"
    if which == "resource":
        mend = "sudo p8s addons enable metrics, or install metrics-server"
    steps = () if served else (mend,)
    return Cause(what, seen=seen, steps=steps, because=because)

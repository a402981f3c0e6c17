"""Pods: their first status, what of them may change, how they end."""

from __future__ import annotations

from dataclasses import dataclass

from pybernetes.api import field
from pybernetes.api.field import FieldError, Path
from pybernetes.apiserver.context import RequestContext, Tree
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.pod_qos import qos_class
from pybernetes.apiserver.resources.pod_update import changed_fields

DEFAULT_GRACE = 30
FINISHED = frozenset(("Succeeded", "Failed"))


@dataclass(slots=True)
class PodStrategy(KindStrategy):
    """See the module."""

    def first_status(self, ctx: RequestContext, new: Tree) -> Tree:
        status: Tree = {"phase": "Pending", "qosClass": qos_class(new["spec"])}
        if new["spec"].get("schedulingGates"):
            status["conditions"] = [_gated()]
        return status

    def validate(self, ctx: RequestContext, new: Tree) -> list[FieldError]:
        if new["spec"].get("ephemeralContainers"):
            return [field.forbidden(Path("spec").child("ephemeralContainers"), "cannot be set on create")]
        return _mirror_errors(new)

    def validate_update(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        return changed_fields(new, old)

    def grace_seconds(self, ctx: RequestContext, obj: Tree, requested: int | None) -> int | None:
        spec = obj["spec"]
        if not spec.get("nodeName") or obj.get("status", {}).get("phase") in FINISHED:
            return 0  # no kubelet has anything to stop
        seconds = requested
        if seconds is None:
            seconds = spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE)
        return 1 if seconds < 0 else seconds


def _gated() -> Tree:
    return {
        "type": "PodScheduled",
        "status": "False",
        "lastProbeTime": None,
        "lastTransitionTime": None,
        "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
    }


def _mirror_errors(pod: Tree) -> list[FieldError]:
    value = (pod["metadata"].get("annotations") or {}).get("kubernetes.io/config.mirror")
    if value is None or pod["spec"].get("nodeName"):
        return []
    where = Path("metadata").child("annotations").key("kubernetes.io/config.mirror")
    return [field.invalid(where, value, "must set spec.nodeName if mirror pod annotation is set")]

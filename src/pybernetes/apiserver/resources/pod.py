"""Pods: their first status, and how they end."""

from __future__ import annotations

from pybernetes.api.pod_qos import qos_class
from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.resources.pod_label_keys import merge_label_keys
from pybernetes.apiserver.resources.timestamps import now

DEFAULT_GRACE = 30
FINISHED = frozenset(("Succeeded", "Failed"))


class PodStrategy(KindStrategy):
    """See the module."""

    def first_status(self, ctx: RequestContext, new: Tree) -> Tree:
        status: Tree = {"phase": "Pending", "qosClass": qos_class(new["spec"])}
        if new["spec"].get("schedulingGates"):
            status["conditions"] = [_gated(now(ctx))]
        return status

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        KindStrategy.prepare_for_create(self, ctx, new)
        _at_least_a_second(new["spec"])
        merge_label_keys(new)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        KindStrategy.prepare_for_update(self, ctx, new, old)
        _at_least_a_second(new["spec"])

    def bumps_generation(self, new: Tree, old: Tree) -> bool:
        # Being bound to a node is no change that anybody has asked for.
        return _without_node(new["spec"]) != _without_node(old["spec"])

    def grace_seconds(self, ctx: RequestContext, obj: Tree, requested: int | None) -> int | None:
        spec = obj["spec"]
        if not spec.get("nodeName") or obj.get("status", {}).get("phase") in FINISHED:
            return 0  # no kubelet has anything to stop
        seconds = requested
        if seconds is None:
            seconds = spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE)
        return 1 if seconds < 0 else seconds


def _at_least_a_second(spec: Tree) -> None:
    """Of pods; templates keep what is negative, and are only warned of it."""
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1


def _gated(since: str) -> Tree:
    return {
        "type": "PodScheduled",
        "status": "False",
        "lastProbeTime": None,
        "lastTransitionTime": since,
        "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
    }


def _without_node(spec: Tree) -> Tree:
    return {key: value for key, value in spec.items() if key != "nodeName"}

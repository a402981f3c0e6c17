"""`pods/<name>/eviction`: a deletion that asks the pod's disruption budget first."""

from __future__ import annotations

from pybernetes.api import errors, field
from pybernetes.api.errors import StatusError, is_conflict
from pybernetes.api.field import Path
from pybernetes.api.selectors import labels
from pybernetes.api.tree import Tree
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.resources.body import admit_action, check_name, is_dry_run, read_object, see_action, success
from pybernetes.apiserver.resources.conditions import set_condition
from pybernetes.apiserver.resources.strategy import Target
from pybernetes.apiserver.resources.timestamps import now

WOULD_VIOLATE = "Cannot evict pod as it would violate the pod's disruption budget."
TOO_MANY_BUDGETS = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
UNREADABLE = "ignoreStoreReadErrorWithClusterBreakingPotential"
MAX_DISRUPTED = 2000
TRIES = 10


class EvictionAction:
    """POST of an Eviction."""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        eviction = await read_object(ctx, target, "policy/v1", "Eviction")
        attributes = await admit_action(ctx, target, eviction)
        check_name(eviction, "Eviction", target.name)
        options: Tree = eviction.get("deleteOptions") or {}
        if options.get(UNREADABLE):
            words = "can not be set for pod eviction, try after removing the option"
            wrong = [field.invalid(Path("deleteOptions").child(UNREADABLE), True, words)]
            raise errors.invalid("policy", "Eviction", target.name, wrong)
        await see_action(ctx, attributes)
        dry_run = is_dry_run(ctx) or "All" in (options.get("dryRun") or ())
        pod = _pod(ctx, target)
        if not _needs_no_budget(pod):
            await _spend_budget(ctx, pod, dry_run=dry_run)
        await _evict(ctx, target, options | ({"dryRun": ["All"]} if dry_run else {}), dry_run=dry_run)
        return success(ctx)


def _pod(ctx: RequestContext, target: Target) -> Tree:
    item = ctx.services.registry.get(target.resource, target.name, target.namespace)
    if item is None:
        raise errors.not_found("", "pods", target.name)
    return item.decode()


def _needs_no_budget(pod: Tree) -> bool:
    """A pod that does not run, or is ending already, disrupts nobody."""
    phase = pod.get("status", {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or "deletionTimestamp" in pod["metadata"]


async def _spend_budget(ctx: RequestContext, pod: Tree, *, dry_run: bool) -> None:
    """Take one disruption from the budget that selects the pod. Raises StatusError 429 if there is none left."""
    for attempt in range(TRIES):
        budgets = _budgets(ctx, pod)
        if not budgets:
            return
        if len(budgets) > 1:
            raise errors.unexpected(TOO_MANY_BUDGETS)
        budget = budgets[0]
        if _is_free_of_charge(pod, budget):
            return
        _check(budget)
        if dry_run:
            return
        _take(ctx, budget, pod["metadata"]["name"])
        try:
            await ctx.services.registry.update(
                builtin("policy", "v1", "poddisruptionbudgets"), budget, subresource="status"
            )
        except StatusError as error:
            if not is_conflict(error) or attempt == TRIES - 1:
                raise
            continue
        return


def _budgets(ctx: RequestContext, pod: Tree) -> list[Tree]:
    metadata = pod["metadata"]
    items = ctx.services.registry.list(builtin("policy", "v1", "poddisruptionbudgets"), metadata["namespace"])
    return [
        item.decode()
        for item in items
        if (selector := item.tree["spec"].get("selector")) is not None
        and labels.from_tree(selector).matches(metadata.get("labels") or {})
    ]


def _is_free_of_charge(pod: Tree, budget: Tree) -> bool:
    """A pod that is not ready serves nobody: it may go, where the budget says so or is kept without it."""
    conditions = pod.get("status", {}).get("conditions") or ()
    if any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions):
        return False
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    desired: int = status.get("desiredHealthy", 0)
    current: int = status.get("currentHealthy", 0)
    return 0 < desired <= current


def _check(budget: Tree) -> None:
    name, status = budget["metadata"]["name"], budget.get("status") or {}
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        words = f"The disruption budget {name} is still being processed by the server."
        raise errors.too_many_requests(WOULD_VIOLATE, 10, [{"reason": "DisruptionBudget", "message": words}])
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 0:
        raise errors.forbidden("policy", "poddisruptionbudgets", name, "pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or ()) > MAX_DISRUPTED:
        words = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden("policy", "poddisruptionbudgets", name, words)
    if allowed == 0:
        healthy, current = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        words = f"The disruption budget {name} needs {healthy} healthy pods and has {current} currently"
        raise errors.too_many_requests(WOULD_VIOLATE, 0, [{"reason": "DisruptionBudget", "message": words}])


def _take(ctx: RequestContext, budget: Tree, pod: str) -> None:
    status = budget["status"]
    status["disruptionsAllowed"] -= 1
    status["disruptedPods"] = (status.get("disruptedPods") or {}) | {pod: now(ctx)}
    if not status["disruptionsAllowed"]:
        condition = {
            "type": "DisruptionAllowed",
            "status": "False",
            "observedGeneration": status.get("observedGeneration", 0),
            "lastTransitionTime": now(ctx),
            "reason": "InsufficientPods",
            "message": "",
        }
        set_condition(status, condition)


async def _evict(ctx: RequestContext, target: Target, options: Tree, *, dry_run: bool) -> None:
    registry = ctx.services.registry
    uid = (options.get("preconditions") or {}).get("uid")
    for attempt in range(TRIES):
        pod = _pod(ctx, target)
        if not dry_run and uid in (None, "", pod["metadata"]["uid"]):
            condition = {
                "type": "DisruptionTarget",
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": now(ctx),
                "reason": "EvictionByEvictionAPI",
                "message": "Eviction API: evicting",
            }
            set_condition(pod.setdefault("status", {}), condition)
            try:
                await registry.update(target.resource, pod, subresource="status", note=False, admit=False)
            except StatusError as error:
                if not is_conflict(error) or attempt == TRIES - 1:
                    raise
                continue
        await registry.delete(
            target.resource, target.name, target.namespace, options=options, user=ctx.user, admit=False
        )
        return

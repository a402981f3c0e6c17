"""`pods/<name>/binding`, and `bindings`: the scheduler gives a pod its node, once."""

from __future__ import annotations

from pybernetes.api import errors, field, names
from pybernetes.api.errors import StatusError, is_conflict
from pybernetes.api.field import FieldError, Path, quote
from pybernetes.api.tree import Tree
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.resources.body import admit_action, check_name, is_dry_run, read_object, see_action, success
from pybernetes.apiserver.resources.conditions import set_condition
from pybernetes.apiserver.resources.strategy import Target
from pybernetes.apiserver.resources.timestamps import now

PODS = "pods/binding"
TRIES = 5


class BindingAction:
    """POST of a Binding; works as the subresource of a pod, and as the kind that names the pod itself."""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        binding = await read_object(ctx, target, "v1", "Binding")
        attributes = await admit_action(ctx, target, binding)
        check_name(binding, "Binding", target.name)
        name = binding["metadata"].get("name", "")
        if wrong := _errors(binding):
            raise errors.unexpected(field.aggregate(wrong))
        if not name:
            raise errors.bad_request("Name parameter required.")
        if complaints := names.path_segment(name):
            raise errors.bad_request(f"Name parameter invalid: {quote(name)}: {';'.join(complaints)}")
        await see_action(ctx, attributes)
        for attempt in range(TRIES):
            try:
                await self._assign(ctx, target.namespace, name, binding)
                break
            except StatusError as error:
                lost_race = is_conflict(error) and error.message.endswith(errors.OBJECT_MODIFIED)
                if not lost_race or attempt == TRIES - 1:
                    raise
        return success(ctx)

    async def _assign(self, ctx: RequestContext, namespace: str, name: str, binding: Tree) -> None:
        registry = ctx.services.registry
        pods = builtin("", "v1", "pods")
        item = registry.get(pods, name, namespace)
        if item is None:
            raise errors.not_found("", "pods", name)
        standing = item.tree
        if cause := _refusal(standing, binding):
            raise errors.conflict("", PODS, name, cause)
        pod = {
            **standing,
            "metadata": dict(standing["metadata"]),
            "spec": {**standing["spec"], "nodeName": binding["target"]["name"]},
            "status": dict(standing.get("status") or {}),
        }
        for part in ("labels", "annotations"):
            both = (pod["metadata"].get(part) or {}) | (binding["metadata"].get(part) or {})
            if both:
                pod["metadata"][part] = both
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now(ctx)}
        set_condition(pod["status"], scheduled)
        dry_run = is_dry_run(ctx)
        await registry.update(pods, pod, subresource="binding", user=ctx.user, dry_run=dry_run, note=False, admit=False)


def _errors(binding: Tree) -> list[FieldError]:
    target = binding.get("target") or {}
    where = Path("target")
    found: list[FieldError] = []
    if target.get("kind") not in (None, "", "Node"):
        found.append(field.not_supported(where.child("kind"), target["kind"], ["Node", "<empty>"]))
    if not target.get("name"):
        found.append(field.required(where.child("name")))
    return found


def _refusal(pod: Tree, binding: Tree) -> str:
    """Why the pod cannot be bound now; empty if it can."""
    name, metadata = pod["metadata"]["name"], binding["metadata"]
    if metadata.get("uid") and metadata["uid"] != pod["metadata"]["uid"]:
        return (
            f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {pod['metadata']['uid']}"
        )
    if "deletionTimestamp" in pod["metadata"]:
        return f"pod {name} is being deleted, cannot be assigned to a host"
    if node := pod["spec"].get("nodeName"):
        return f"pod {name} is already assigned to node {quote(node)}"
    if pod["spec"].get("schedulingGates"):
        return f"pod {name} has non-empty .spec.schedulingGates"
    return ""

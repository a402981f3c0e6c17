"""The RBAC bootstrap policy: made at the first start, mended at every later one.

What an administrator added stays; what upstream's policy demands and is missing comes back, unless the object is marked
with `rbac.authorization.kubernetes.io/autoupdate: "false"`.
"""

from __future__ import annotations

import asyncio

from pybernetes.api.errors import StatusError, is_already_exists
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.bootstrap.facts import bootstrap_objects
from pybernetes.apiserver.bootstrap.objects import complete
from pybernetes.apiserver.bootstrap.own_roles import OWN_ROLES
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.services import Services
from pybernetes.apiserver.stages.authorize.objects import rules_of
from pybernetes.apiserver.stages.authorize.rbac import GROUP
from pybernetes.apiserver.stages.authorize.rules import missing

AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate"
PLURALS = ("clusterroles", "clusterrolebindings", "roles", "rolebindings")


async def reconcile(services: Services) -> None:
    """Make what is missing, mend what has been reduced."""
    for plural in PLURALS:
        resource = builtin(GROUP, "v1", plural)
        # All of a kind at once: their commits then share a few syncs of the store.
        async with asyncio.TaskGroup() as tasks:
            for obj in (*bootstrap_objects()[plural], *OWN_ROLES.get(plural, ())):
                tasks.create_task(_reconcile_one(services, resource, obj))


async def _reconcile_one(services: Services, resource: Resource, obj: Tree) -> None:
    metadata = obj["metadata"]
    namespace = metadata.get("namespace", "")
    item = services.registry.get(resource, metadata["name"], namespace)
    if item is None:
        try:
            await services.registry.create(resource, complete(resource, obj), namespace)
        except StatusError as error:  # another server that starts at this moment has made it
            if not is_already_exists(error):
                raise
        return
    mended = mend(item.tree, obj)
    if mended is not None:
        await services.registry.update(resource, mended)


def mend(present: Tree, wanted: Tree) -> Tree | None:
    """The object with what it lacks of the wanted one; None if it lacks nothing, or may not be mended."""
    annotations = present["metadata"].get("annotations") or {}
    if annotations.get(AUTO_UPDATE) == "false":
        return None
    changed = dict(present)
    if "aggregationRule" not in wanted and (lacking := _lacking_rules(present, wanted)):
        changed["rules"] = [*(present.get("rules") or []), *lacking]
    subjects = present.get("subjects") or []
    added = [subject for subject in wanted.get("subjects") or () if subject not in subjects]
    if added:
        changed["subjects"] = [*subjects, *added]
    return changed if changed != present else None


def _lacking_rules(present: Tree, wanted: Tree) -> list[Tree]:
    held = rules_of(present)
    pairs = zip(rules_of(wanted), wanted.get("rules") or (), strict=True)
    return [tree for rule, tree in pairs if missing(held, [rule])]

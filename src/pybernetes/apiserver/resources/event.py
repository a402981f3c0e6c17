"""Events: kept for a time, then gone by themselves."""

from __future__ import annotations

from pybernetes.api import names
from pybernetes.api.field import FieldError
from pybernetes.api.scheme import by_plural
from pybernetes.api.tree import Tree
from pybernetes.api.validation.entry import rules_of
from pybernetes.api.validation.metadata import validate_name
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy

NEW_GROUP = "events.k8s.io"


class EventStrategy(KindStrategy):
    """The life of an event is `--event-ttl`, from its last write on; its own group is the stricter door."""

    def ttl_seconds(self, ctx: RequestContext, obj: Tree) -> int:
        return int(ctx.services.options.event_ttl)

    def validate(self, ctx: RequestContext, new: Tree) -> list[FieldError]:
        if ctx.info.api_group != NEW_GROUP:
            return []
        found = list(validate_name(new["metadata"], names.dns1123_subdomain))
        return found + self._of_new_group(new, None)

    def validate_update(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        return self._of_new_group(new, old) if ctx.info.api_group == NEW_GROUP else []

    def _of_new_group(self, new: Tree, old: Tree | None) -> list[FieldError]:
        """What the group of its own finds wrong and the core group, whose rules every event is held to, does not."""
        resource = by_plural(NEW_GROUP, "v1", "events")
        if resource is None:
            return []
        rules, told = rules_of(resource), list(rules_of(self.resource).create(new))
        found = rules.create(new) if old is None else rules.update(new, old)
        return [error for error in found if error not in told]


def source(obj: Tree) -> str:
    """The component that an event comes from, as the field selector `source` reads it."""
    component: str = (obj.get("source") or {}).get("component", "") or obj.get("reportingComponent", "")
    return component

"""Events: kept for a time, then gone by themselves."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import FieldError, Path
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
        metadata = new["metadata"]
        found = list(validate_name(metadata, names.dns1123_subdomain))
        if not new.get("eventTime"):
            found.append(field.required(Path("eventTime")))
        return found

    def validate_update(self, ctx: RequestContext, new: Tree, old: Tree) -> list[FieldError]:
        resource = by_plural(NEW_GROUP, "v1", "events")
        if ctx.info.api_group != NEW_GROUP or resource is None:
            return []
        return list(rules_of(resource).update(new, old))


def source(obj: Tree) -> str:
    """The component that an event comes from, as the field selector `source` reads it."""
    component: str = (obj.get("source") or {}).get("component", "") or obj.get("reportingComponent", "")
    return component

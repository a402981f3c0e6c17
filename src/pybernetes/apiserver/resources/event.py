"""Events: kept for a time, then gone by themselves."""

from __future__ import annotations

from typing import ClassVar

from pybernetes.api.tree import Tree
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy


class EventStrategy(KindStrategy):
    """The life of an event is `--event-ttl`, from its last write on. It owns nothing."""

    heeds_policy: ClassVar[bool] = False
    has_dependents: ClassVar[bool] = False
    is_cached: ClassVar[bool] = False

    def ttl_seconds(self, ctx: RequestContext, obj: Tree) -> int:
        return int(ctx.services.options.event_ttl)


def source(obj: Tree) -> str:
    """The component that an event comes from, as the field selector `source` reads it."""
    component: str = (obj.get("source") or {}).get("component", "") or obj.get("reportingComponent", "")
    return component

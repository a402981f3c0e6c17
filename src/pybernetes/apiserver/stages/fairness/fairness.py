"""All schemas and levels as they stand now: which flow a request is of, and how the levels share the server's seats."""

from __future__ import annotations

import logging
from typing import Final

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import Scope
from pybernetes.api.caching import LONGEST
from pybernetes.apiserver.bootstrap.facts import bootstrap_objects
from pybernetes.apiserver.bootstrap.flow_control import GROUP, MANDATORY
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.registry.registry import Registry
from pybernetes.apiserver.stages.fairness.demand import Meter
from pybernetes.apiserver.stages.fairness.flows import FLOW_HEADER, LEVEL_HEADER, Schema
from pybernetes.apiserver.stages.fairness.level import Flow, Level
from pybernetes.apiserver.stages.fairness.limits import Claim, Shape, divide, limits_of
from pybernetes.telemetry.metrics import Histogram

log = logging.getLogger(__name__)

CATCH_ALL: Final = "catch-all"
ADJUST_SECONDS: Final = 10.0
QUIET_ADJUSTMENTS: Final = 30
"""Seats are lent anew for so long after the last request had to wait."""
REMEMBERED: Final = 4096


class Fairness:
    """Follows the objects of the registry; what they come to is worked out when the next request asks."""

    def __init__(self, registry: Registry, scope: Scope, clock: Clock, execution: Histogram, seats: int) -> None:
        self.levels: dict[str, Level] = {}
        self.flows: dict[str, Flow] = {}
        self.fraction = 0.0
        """Of its target that a level without bounds got at the last adjustment."""
        self._seats = seats
        self._execution = execution
        self._scope = scope
        self._clock = clock
        self._registry = registry
        self._schemas: list[Schema] = []
        self._known: dict[tuple[object, ...], Flow] = {}
        self._stale = True
        self._quiet = 0
        self._adjusting = False
        for plural in ("flowschemas", "prioritylevelconfigurations"):
            registry.subscribe(builtin(GROUP, "v1", plural), self._changed)

    def _changed(self, old: Item | None, new: Item | None) -> None:
        if old is None or new is None or old.tree["spec"] != new.tree["spec"]:
            self._stale = True

    def classify(self, ctx: RequestContext) -> Flow:
        """The flow schema that takes the request; there is always one."""
        if self._stale:
            self._rebuild()
        info, user = ctx.info, ctx.user
        if len(info.path) > LONGEST:
            return self._find(ctx)
        if info.is_resource_request:
            key: tuple[object, ...] = (
                user.name, user.groups, info.verb, info.api_group, info.resource, info.subresource, info.namespace,
            )  # fmt: skip
        else:
            key = user.name, user.groups, info.verb, info.path
        flow = self._known.get(key)
        if flow is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            flow = self._known[key] = self._find(ctx)
        return flow

    def _find(self, ctx: RequestContext) -> Flow:
        for schema in self._schemas:
            if schema.matches(ctx.user, ctx.info):
                return self.flows[schema.name]
        return self.flows[CATCH_ALL]

    # Configuration.

    def _rebuild(self) -> None:
        self._stale = False
        self._known.clear()
        self._configure_levels()
        found = {item.name: Schema(item.tree) for item in self._registry.list(builtin(GROUP, "v1", "flowschemas"))}
        for obj in bootstrap_objects()["flowschemas"]:  # without these some requests would have no place
            if (name := obj["metadata"]["name"]) in MANDATORY:
                found.setdefault(name, Schema(obj))
        usable = [schema for schema in found.values() if schema.level in self.levels]
        self._schemas = sorted(usable, key=lambda schema: (schema.precedence, schema.name))
        self.flows = {schema.name: self._flow(schema) for schema in self._schemas}

    def _flow(self, schema: Schema) -> Flow:
        level = self.levels[schema.level]
        flow = self.flows.get(schema.name)
        if flow is None or flow.level is not level:  # what is under way counts where it began
            flow = Flow(schema.name, level, self._execution.series(level.name, schema.name))
        flow.distinguisher = schema.distinguisher
        flow.headers = ((FLOW_HEADER, schema.uid), (LEVEL_HEADER, level.uid))
        return flow

    def _configure_levels(self) -> None:
        found = {
            item.name: item.tree for item in self._registry.list(builtin(GROUP, "v1", "prioritylevelconfigurations"))
        }
        for obj in bootstrap_objects()["prioritylevelconfigurations"]:
            if (name := obj["metadata"]["name"]) in MANDATORY:
                found.setdefault(name, obj)
        shapes = {name: Shape.of(obj["spec"]) for name, obj in found.items()}
        limits = limits_of(shapes, self._seats)
        for name, shape in shapes.items():
            level = self.levels.get(name)
            if level is None:
                level = self.levels[name] = Level(name, self._clock.monotonic, self._contended)
            level.configure(found[name]["metadata"].get("uid", ""), shape, limits[name])
        for name in self.levels.keys() - shapes.keys():
            # What waits is still served; nothing new comes.
            self.levels[name].quiescing = True
            if not self.levels[name].in_use and not self.levels[name].waiting:
                del self.levels[name]

    # Borrowing.

    def _contended(self) -> None:
        """A request has to wait: from now on seats are lent to where they are wanted."""
        self._quiet = 0
        if self._adjusting:
            return
        self._adjusting = True
        for level in self.levels.values():
            level.meter = Meter(self._clock.monotonic, level.demand)
        self._scope.spawn(self._adjust(), "seats")

    async def _adjust(self) -> None:
        while self._quiet < QUIET_ADJUSTMENTS:
            await self._clock.sleep(ADJUST_SECONDS)
            self._quiet += 1
            self.adjust()
        self._adjusting = False
        for level in self.levels.values():
            level.meter, level.smoothed = None, 0.0
            level.set_limit(level.limits.initial)

    def adjust(self) -> None:
        """Share the seats by what was wanted since the last time."""
        claims: dict[str, Claim] = {}
        for name, level in self.levels.items():
            if level.meter is None:
                level.meter = Meter(self._clock.monotonic, level.demand)
            demand = level.meter.take()
            level.smoothed = demand.smoothed(level.smoothed)
            claims[name] = Claim.of(level.limits, demand, level.smoothed, exempt=level.shape.exempt)
        given, self.fraction = divide(
            claims, max(self._seats, sum(each.limits.nominal for each in self.levels.values()))
        )
        for name, limit in given.items():
            self.levels[name].set_limit(limit)
        log.debug("seats shared fraction=%.3f", self.fraction)


def check_seats(reads: int, writes: int) -> int:
    """Seats of the server, by its options. Raises ValueError."""
    if reads < 0:
        raise ValueError("--max-requests-inflight can not be negative value")
    if writes < 0:
        raise ValueError("--max-mutating-requests-inflight can not be negative value")
    if reads + writes <= 0:
        raise ValueError(
            f"invalid configuration: MaxRequestsInFlight={reads} and MaxMutatingRequestsInFlight={writes}; "
            "they must add up to something positive"
        )
    return reads + writes

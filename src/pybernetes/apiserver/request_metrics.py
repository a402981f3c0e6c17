"""What /metrics tells of requests and of what is stored, under the names that dashboards ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pybernetes.api.scheme import Resource
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.request_info import RequestInfo
from pybernetes.telemetry.metrics import Computed, Histogram, Registry, Series

VERBS: Final = {"create": "POST", "update": "PUT", "patch": "PATCH", "proxy": "CONNECT"}
CONNECTS: Final = frozenset(("attach", "exec", "portforward", "proxy"))
WRITES: Final = frozenset(("create", "update", "patch", "delete", "deletecollection"))
APPLY: Final = "application/apply-patch"
LABELS: Final = ("verb", "dry_run", "group", "version", "resource", "subresource", "scope", "component")
OTHER: Final = ("other", "", "", "", "", "", "", "apiserver")
OTHER_GET: Final = ("GET", *OTHER[1:])
SIZES: Final = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)
BUCKETS: Final = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0)  # fmt: skip
SLI_BUCKETS: Final = (0.05, *BUCKETS[3:])


class Tally:
    """The requests of one kind that were answered with one code."""

    __slots__ = ("count", "own_seconds", "seconds", "sizes")

    def __init__(self, seconds: Series | None, own_seconds: Series | None, sizes: Series | None) -> None:
        self.count = 0
        self.own_seconds = own_seconds
        """Without those that were spent on others."""
        self.sizes = sizes
        """None for what reads nothing."""
        self.seconds = seconds
        """None for watches and the like, which last as long as their client wants."""


class RequestMetrics:
    """One look-up per request; all else is worked out when somebody asks."""

    def __init__(self, metrics: Registry, registry: ServedRegistry) -> None:
        self._registry = registry
        self._series: dict[tuple[str, ...], Tally] = {}
        self._known: dict[tuple[object, ...], Tally] = {}
        """The same, by what a request of a served resource asks for."""
        self.mutating = 0
        self.reading = 0
        """Requests in hand."""
        self._durations = Histogram(
            "apiserver_request_duration_seconds",
            "Response latency distribution in seconds for each verb, dry run value, group, version, resource, "
            "subresource, scope and component.",
            LABELS,
            BUCKETS,
        )
        self._own_durations = Histogram(
            "apiserver_request_sli_duration_seconds",
            "Response latency distribution (not counting webhook duration and priority & fairness queue wait times) in "
            "seconds for each verb, group, version, resource, subresource, scope and component.",
            (LABELS[0], *LABELS[2:]),
            SLI_BUCKETS,
        )
        self._sizes = Histogram(
            "apiserver_response_sizes",
            "Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.",
            (LABELS[0], *LABELS[2:]),
            SIZES,
        )
        metrics.add(
            Computed(
                "apiserver_request_total",
                "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, "
                "scope, component, and HTTP response code.",
                (*LABELS, "code"),
                lambda: ((labels, tally.count) for labels, tally in self._series.items()),
                kind="counter",
            ),
            self._durations,
            self._own_durations,
            self._sizes,
            Computed(
                "apiserver_storage_events_received_total",
                "Number of etcd events received split by kind.",
                ("group", "resource"),
                self._received,
                kind="counter",
            ),
            Computed(
                "apiserver_current_inflight_requests",
                "Maximal number of currently used inflight request limit of this apiserver per request kind in last second.",
                ("request_kind",),
                lambda: ((("mutating",), self.mutating), (("readOnly",), self.reading)),
            ),
            Computed(
                "apiserver_storage_objects",
                "Number of stored objects at the time of last check split by kind.",
                ("resource",),
                self._stored,
            ),
            Computed(
                "apiserver_longrunning_requests",
                "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope "
                "and component. Not all requests are tracked this way.",
                ("verb", "group", "version", "resource", "subresource", "scope", "component"),
                self._watching,
            ),
        )

    def record(self, ctx: RequestContext, answer: Answer, seconds: float) -> None:
        """A request has been answered."""
        info, request, status = ctx.info, ctx.request, answer.status
        apply = info.verb == "patch" and request.headers.get("content-type", "").startswith(APPLY)
        dry_run = bool(request.query_string) and info.verb in WRITES and request.parameter("dryRun") == "All"
        served = self._registry.find(info.api_group, info.api_version, info.resource)
        key = (
            info.verb, info.api_group, info.api_version, info.resource, info.subresource, bool(info.namespace),
            len(info.parts) > 1, apply, dry_run, status,
        )  # fmt: skip
        tally = None if served is None else self._known.get(key)
        if tally is None:
            labels = self._labels(info, served, apply=apply, dry_run="All" if dry_run else "")
            tally = self._tally(labels, status)
            if labels not in (OTHER, OTHER_GET):
                self._known[key] = tally
        tally.count += 1
        if tally.seconds is not None and tally.own_seconds is not None:
            tally.seconds.observe(seconds)
            tally.own_seconds.observe(seconds - ctx.waited)
        if tally.sizes is not None and isinstance(answer, Response):
            body = answer.body
            tally.sizes.observe(len(body) if isinstance(body, bytes) else sum(map(len, body)))

    def _tally(self, labels: tuple[str, ...], status: int) -> Tally:
        key = (*labels, str(status))
        tally = self._series.get(key)
        if tally is None:
            long = labels[0] in ("WATCH", "CONNECT")
            reads = labels[0] in ("GET", "LIST")
            tally = self._series[key] = Tally(
                None if long else self._durations.series(*labels),
                None if long else self._own_durations.series(labels[0], *labels[2:]),
                self._sizes.series(labels[0], *labels[2:]) if reads else None,
            )
        return tally

    @staticmethod
    def _labels(info: RequestInfo, served: Resource | None, *, apply: bool, dry_run: str) -> tuple[str, ...]:
        """Names that clients make up must not become series."""
        if served is None or (info.subresource and info.subresource not in served.subresources):
            return OTHER_GET if info.verb == "get" else OTHER
        verb = "APPLY" if apply else VERBS.get(info.verb) or info.verb.upper()
        if info.subresource in CONNECTS:
            verb = "CONNECT"
        if len(info.parts) > 1:
            scope = "resource"
        else:
            scope = "namespace" if info.namespace else "cluster"
        return (
            verb, dry_run, info.api_group, info.api_version, info.resource, info.subresource, scope, "apiserver",
        )  # fmt: skip

    def _stored(self) -> Iterator[tuple[tuple[str, ...], float]]:
        seen: set[str] = set()
        for resource in self._registry.resources():
            served = self._registry.served(resource.group, resource.version, resource.plural)
            if served is None or served.strategy.virtual is not None or resource.group_resource in seen:
                continue
            seen.add(resource.group_resource)
            yield (resource.group_resource,), len(served.store.cache)

    def _received(self) -> Iterator[tuple[tuple[str, ...], float]]:
        seen: set[int] = set()
        for resource in self._registry.resources():
            served = self._registry.served(resource.group, resource.version, resource.plural)
            if served is not None and served.strategy.virtual is None and id(served.store) not in seen:
                seen.add(id(served.store))
                yield (resource.group, resource.plural), served.store.cache.state

    def _watching(self) -> Iterator[tuple[tuple[str, ...], float]]:
        seen: set[int] = set()
        for resource in self._registry.resources():
            served = self._registry.served(resource.group, resource.version, resource.plural)
            if served is None or id(served.store) in seen or not (count := served.store.cache.watching()):
                continue
            seen.add(id(served.store))
            yield ("WATCH", resource.group, resource.version, resource.plural, "", "", "apiserver"), count

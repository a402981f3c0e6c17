"""How long the store takes (`etcd_request_duration_seconds`), by a backend around the one that does the work, and its size."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Iterator
from time import perf_counter
from typing import Any, TypeAlias, TypeVar

from pybernetes.api import scheme
from pybernetes.api.scheme import storage_prefix, storage_resource
from pybernetes.apiserver.cacher.cacher import split_key
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.compression import compressed
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.wrapped import WrappedBackend
from pybernetes.store.backend import Backend, KeyValue, Page, StoreError, Written
from pybernetes.telemetry.metrics import CONTENT_TYPE, Computed, Gauge, Histogram, Registry, Series
from pybernetes.telemetry.process import started_at

log = logging.getLogger(__name__)
T = TypeVar("T")
Call: TypeAlias = Coroutine[Any, Any, T]
CLUSTER = "etcd-0"
BUCKETS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0)  # fmt: skip


class MetricsPage:
    """/metrics, for which the store is asked how large it is."""

    def __init__(self, metrics: Registry, backend: Backend) -> None:
        self._metrics = metrics
        self._backend = backend
        self._size = Gauge(
            "apiserver_storage_size_bytes",
            "Size of the storage database file physically allocated in bytes.",
            ("storage_cluster_id",),
        )
        metrics.add(self._size)

    async def __call__(self, ctx: RequestContext) -> Answer:
        try:
            self._size.set(await self._backend.size(), CLUSTER if self._backend.shared else "sqlite")
        except (StoreError, OSError) as error:
            log.warning("size of the store is not known error=%s", error)
        return metrics_answer(self._metrics, ctx)


def metrics_answer(metrics: Registry, ctx: RequestContext) -> Answer:
    """All that they tell, in gzip for who takes it; and since when they are counted."""
    began = ("process-start-time-unix", str(int(started_at())))
    answer = Response(200, metrics.render().encode(), CONTENT_TYPE, [began])
    return compressed(answer, ctx.request.headers.get("accept-encoding", ""), at_least=0)


class MeasuredBackend(WrappedBackend):
    """A `Backend`."""

    def __init__(self, backend: Backend, metrics: Registry) -> None:
        super().__init__(backend)
        self._durations = Histogram(
            "etcd_request_duration_seconds",
            "Etcd request latency in seconds for each operation and object type.",
            ("operation", "group", "resource"),
            BUCKETS,
            read=self._named,
        )
        self._series: dict[tuple[str, str], Series] = {}
        metrics.add(
            self._durations,
            Computed(
                "etcd_requests_total",
                "Etcd request counts for each operation and object type.",
                ("operation", "group", "resource"),
                lambda: ((labels, sum(series.counts)) for labels, series in self._named()),
                kind="counter",
            ),
        )

    def _named(self) -> Iterator[tuple[tuple[str, ...], Series]]:
        names = {storage_prefix(one): (one.group, one.plural) for one in map(storage_resource, scheme.resources())}
        for (operation, prefix), series in self._series.items():
            group, _, plural = prefix.rpartition("/")
            yield (operation, *names.get(prefix, (group, plural))), series

    async def _measure(self, operation: str, key: bytes, call: Call[T]) -> T:
        began = perf_counter()
        try:
            return await call
        finally:
            kind = operation, split_key(key)[0]
            series = self._series.get(kind)
            if series is None:
                series = self._series[kind] = Series(BUCKETS)
            series.observe(perf_counter() - began)

    # Each is the very coroutine that measures: every write passes here.

    def get(self, key: bytes, revision: int = 0) -> Call[tuple[KeyValue | None, int]]:
        return self._measure("get", key, self.inner.get(key, revision))

    def range(self, prefix: bytes, *, start: bytes = b"", limit: int = 0, revision: int = 0) -> Call[Page]:
        return self._measure("list", prefix, self.inner.range(prefix, start=start, limit=limit, revision=revision))

    def create(self, key: bytes, value: bytes, *, ttl: int = 0) -> Call[Written]:
        return self._measure("create", key, self.inner.create(key, value, ttl=ttl))

    def update(self, key: bytes, value: bytes, expected: int, *, ttl: int = 0) -> Call[Written]:
        return self._measure("update", key, self.inner.update(key, value, expected, ttl=ttl))

    def delete(self, key: bytes, expected: int = 0) -> Call[Written]:
        return self._measure("delete", key, self.inner.delete(key, expected))

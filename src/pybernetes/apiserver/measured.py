"""How long the store takes (`etcd_request_duration_seconds`): a backend around the one that does the work."""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter
from typing import TypeVar

from pybernetes.apiserver.cacher.cacher import split_key
from pybernetes.apiserver.wrapped import WrappedBackend
from pybernetes.store.backend import Backend, KeyValue, Page, Written
from pybernetes.telemetry.metrics import Histogram, Registry, Series

T = TypeVar("T")
BUCKETS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0)  # fmt: skip


class MeasuredBackend(WrappedBackend):
    """A `Backend`."""

    def __init__(self, backend: Backend, metrics: Registry) -> None:
        super().__init__(backend)
        self._durations = Histogram(
            "etcd_request_duration_seconds",
            "Etcd request latency in seconds for each operation and object type.",
            ("operation", "type"),
            BUCKETS,
        )
        self._series: dict[tuple[str, str], Series] = {}
        metrics.add(self._durations)

    async def _measure(self, operation: str, key: bytes, call: Awaitable[T]) -> T:
        began = perf_counter()
        try:
            return await call
        finally:
            kind = operation, split_key(key)[0]
            series = self._series.get(kind)
            if series is None:
                series = self._series[kind] = self._durations.series(*kind)
            series.observe(perf_counter() - began)

    async def get(self, key: bytes, revision: int = 0) -> tuple[KeyValue | None, int]:
        return await self._measure("get", key, self.inner.get(key, revision))

    async def range(self, prefix: bytes, *, start: bytes = b"", limit: int = 0, revision: int = 0) -> Page:
        call = self.inner.range(prefix, start=start, limit=limit, revision=revision)
        return await self._measure("list", prefix, call)

    async def create(self, key: bytes, value: bytes, *, ttl: int = 0) -> Written:
        return await self._measure("create", key, self.inner.create(key, value, ttl=ttl))

    async def update(self, key: bytes, value: bytes, expected: int, *, ttl: int = 0) -> Written:
        return await self._measure("update", key, self.inner.update(key, value, expected, ttl=ttl))

    async def delete(self, key: bytes, expected: int = 0) -> Written:
        return await self._measure("delete", key, self.inner.delete(key, expected))

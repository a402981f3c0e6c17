"""What /metrics tells of plugins and their keys (`apiserver_envelope_encryption_*`)."""

from __future__ import annotations

from typing import Final

from pybernetes.aio.clock import Clock
from pybernetes.telemetry.metrics import Counter, Gauge, Histogram, Registry

PREFIX: Final = "apiserver_envelope_encryption_"
BUCKETS: Final = tuple(0.0001 * 2**power for power in range(20))


class KMSMetrics:
    """`server` is the hash of the API server's name."""

    def __init__(self, metrics: Registry, server: str) -> None:
        self._server = server
        labels = ("transformation_type", "provider_name", "key_id_hash", "apiserver_id_hash")
        self._latency = Histogram(f"{PREFIX}kms_operations_latency_seconds", "KMS operation duration with gRPC error code status total.", ("provider_name", "method_name", "grpc_status_code"), BUCKETS)  # fmt: skip
        self._used = Counter(f"{PREFIX}key_id_hash_total", "Number of times a keyID is used split by transformation type, provider, and apiserver identity.", labels)  # fmt: skip
        self._last = Gauge(f"{PREFIX}key_id_hash_last_timestamp_seconds", "The last time in seconds when a keyID was used.", labels)  # fmt: skip
        self._told = Gauge(f"{PREFIX}key_id_hash_status_last_timestamp_seconds", "The last time in seconds when a keyID was returned by the Status RPC call.", labels[1:])  # fmt: skip
        self._invalid = Counter(f"{PREFIX}invalid_key_id_from_status_total", "Number of times an invalid keyID is returned by the Status RPC call split by error.", ("provider_name", "error"))  # fmt: skip
        self._cached = Gauge(f"{PREFIX}dek_source_cache_size", "Number of records in data encryption key (DEK) source cache. On a restart, this value is an approximation of the number of decrypt RPC calls the server will make to the KMS plugin.", ("provider_name",))  # fmt: skip
        metrics.add(self._latency, self._used, self._last, self._told, self._invalid, self._cached)

    def called(self, provider: str, method: str, code: str, seconds: float) -> None:
        self._latency.observe(seconds, provider, method, code)

    def used(self, direction: str, provider: str, key: str, clock: Clock) -> None:
        self._used.inc(direction, provider, key, self._server)
        self._last.set(clock.now().timestamp(), direction, provider, key, self._server)

    def told(self, provider: str, key: str, clock: Clock) -> None:
        self._told.set(clock.now().timestamp(), provider, key, self._server)

    def invalid(self, provider: str, error: str) -> None:
        self._invalid.inc(provider, error)

    def cached(self, provider: str, records: int) -> None:
        self._cached.set(records, provider)

"""What /metrics tells of a client's requests (`rest_client_*`)."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from pybernetes.telemetry.metrics import Computed, Histogram, Registry, Series

BUCKETS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


class RequestTally:
    """Counted by server, so that an answer costs two look-ups; hosts are made of URLs when somebody asks."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int, str], int] = {}
        self._seconds: dict[tuple[str, str], Series] = {}

    def answered(self, method: str, code: int, server: str, seconds: float) -> None:
        self.streamed(method, code, server)
        series = self._seconds.get((method, server))
        if series is None:
            series = self._seconds[method, server] = Series(BUCKETS)
        series.observe(seconds)

    def streamed(self, method: str, code: int, server: str) -> None:
        """An answer whose end is not waited for."""
        key = method, code, server
        self._answers[key] = self._answers.get(key, 0) + 1

    def add_to(self, metrics: Registry) -> None:
        metrics.add(
            Computed(
                "rest_client_requests_total",
                "Number of HTTP requests, partitioned by status code, method, and host.",
                ("code", "host", "method"),
                lambda: [((str(code), _host(url), method), n) for (method, code, url), n in self._answers.items()],
                kind="counter",
            ),
            Histogram(
                "rest_client_request_duration_seconds",
                "Request latency in seconds. Broken down by verb, and host.",
                ("host", "verb"),
                BUCKETS,
                read=lambda: [((_host(url), method), series) for (method, url), series in self._seconds.items()],
            ),
        )


def _host(server: str) -> str:
    """Of a socket the path."""
    url = urlsplit(server)
    return url.netloc or url.path

"""What /metrics tells of finding out who asks."""

from __future__ import annotations

from typing import Final

from pybernetes.telemetry.metrics import Computed, Histogram, Registry, Series

BUCKETS: Final = tuple(0.001 * 2**step for step in range(15))
KNOWN: Final = frozenset(("admin", "client", "kube_proxy", "kubelet", "system:serviceaccount:kube-system:default"))
"""Names that are told; those of others would be too many."""


class AuthenticationMetrics:
    """Of all requests; an attempt is counted by one call."""

    def __init__(self, metrics: Registry) -> None:
        self._users: dict[str, int] = {}
        self._seconds = Histogram(
            "authentication_duration_seconds",
            "Authentication duration in seconds broken out by result.",
            ("result",),
            BUCKETS,
        )
        self._results: dict[str, Series] = {}
        metrics.add(
            Computed(
                "authentication_attempts",
                "Counter of authenticated attempts.",
                ("result",),
                lambda: [((result,), sum(series.counts)) for result, series in self._results.items()],
                kind="counter",
            ),
            self._seconds,
            Computed(
                "authenticated_user_requests",
                "Counter of authenticated requests broken out by username.",
                ("username",),
                lambda: [((name,), count) for name, count in self._users.items()],
                kind="counter",
            ),
        )

    def attempted(self, result: str, seconds: float, user: str = "") -> None:
        """`result` is success, failure (nobody knows the credentials) or error."""
        series = self._results.get(result)
        if series is None:
            series = self._results[result] = self._seconds.series(result)
        series.observe(seconds)
        if user:
            name = user if user in KNOWN else "email_id" if "@" in user else "other"
            self._users[name] = self._users.get(name, 0) + 1

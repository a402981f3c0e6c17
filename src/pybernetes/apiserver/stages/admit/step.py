"""The plugins that see one kind of write, one after the other, and how long they take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import TypeAlias

from pybernetes.api.errors import StatusError
from pybernetes.apiserver.admission import Attributes, Operation
from pybernetes.apiserver.stages.admit.metrics import AdmissionMetrics, Kind

Hook: TypeAlias = Callable[[Attributes], Awaitable[None]]


class Step:
    """Hooks by the names of their plugins. It is true if there are any."""

    def __init__(
        self, operation: Operation, kind: Kind, hooks: Sequence[tuple[str, Hook]], metrics: AdmissionMetrics
    ) -> None:
        self._operation: Operation = operation
        self._kind: Kind = kind
        self._metrics = metrics
        self._hooks = [(name, hook, metrics.controllers.series(name, kind, operation, "false")) for name, hook in hooks]
        self._passed = metrics.steps.series(kind, operation, "false") if hooks else None

    def __bool__(self) -> bool:
        return bool(self._hooks)

    async def run(self, attributes: Attributes) -> None:
        """Raises StatusError, from the first that refuses."""
        if self._passed is None:
            return
        began = before = perf_counter()
        for name, hook, passed in self._hooks:
            try:
                await hook(attributes)
            except StatusError:
                now = perf_counter()
                self._metrics.refused(name, self._kind, self._operation, now - before, now - began)
                raise
            now = perf_counter()
            passed.observe(now - before)
            before = now
        self._passed.observe(before - began)

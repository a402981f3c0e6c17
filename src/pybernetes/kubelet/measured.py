"""The runtime as the kubelet asks it: each call counted and timed under upstream's name of the operation."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.counted import Counted

T = TypeVar("T")
_OTHERS = ("get_container_events",)
"""A stream, whose end nobody waits for."""


def measured(service: T, counted: Counted) -> T:
    """The same service; what is asked of it counts."""
    return cast(T, _Measured(service, counted))


class _Measured:
    """Methods are wrapped when they are first asked for."""

    def __init__(self, service: object, counted: Counted) -> None:
        self._service, self._counted = service, counted

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._service, name)
        if name not in _OTHERS:
            method = self._wrapped(method, operation_name(name))
        setattr(self, name, method)
        return method

    def _wrapped(self, method: Callable[..., Awaitable[Any]], operation: str) -> Callable[..., Awaitable[Any]]:
        counted, series = self._counted, self._counted.operation.series(operation)

        async def call(*arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            counted.operations.inc(operation)
            try:
                return await method(*arguments, **named)
            except CRIError:
                counted.failed_operations.inc(operation)
                raise
            finally:
                series.observe(time.perf_counter() - begun)

        return call


def operation_name(method: str) -> str:
    """`run_podsandbox` of run_pod_sandbox."""
    name = method.replace("pod_sandbox", "podsandbox")
    return "update_container" if name == "update_container_resources" else name

"""The stages of a request, in order.

Each stage is a file of `stages/` with a factory; a factory that returns None is switched off by the options.
Admission is not a stage of the HTTP request: it runs inside the write, on the decoded object (`admission.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias

from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer

Handle: TypeAlias = Callable[[RequestContext], Coroutine[Any, Any, Answer]]


class Stage(Protocol):
    """One step of every request: answers itself, raises StatusError, or proceeds (and may look at the answer)."""

    async def __call__(self, ctx: RequestContext, proceed: Handle) -> Answer: ...


def link(stages: Sequence[Stage], handle: Handle) -> Handle:
    """The chain as one call: the first stage outermost, `handle` at its end."""
    for stage in reversed(stages):
        handle = partial(stage, proceed=handle)
    return handle

"""What one request carries through the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field

from pybernetes.api.tree import Tree
from pybernetes.apiserver.http.message import Request
from pybernetes.apiserver.request_info import RequestInfo
from pybernetes.apiserver.user import ANONYMOUS, UserInfo

if TYPE_CHECKING:
    from pybernetes.apiserver.services import Services


class RequestContext(Struct):
    """A request on its way through the chain; stages fill in what they find out.

    `warnings` become Warning headers of the answer; `audit` annotates the audit event.
    """

    request: Request
    info: RequestInfo
    services: Services
    user: UserInfo = ANONYMOUS
    impersonator: UserInfo | None = None
    warnings: dict[str, None] = field(default_factory=dict)
    """Texts, each once."""
    audit: dict[str, str] = field(default_factory=dict)
    headers: Sequence[tuple[str, str]] = ()
    """Of the answer, whatever it will be."""
    on_initialized: Callable[[], None] | None = None
    """Called by a watch once it has sent what there is."""
    has_empty: bool = False
    """The object that it brings has lists that are there and empty."""
    sent: Tree = field(default_factory=dict)
    """The object that it brings or comes to, before it was decoded."""
    audit_id: str = ""
    """Names the request in its answer and in the audit log."""

    waited: float = 0.0
    """Seconds that it has spent on others: for seats, and for webhooks."""
    deadline: asyncio.Timeout | None = None
    """When the request ends by its own word (`?timeout=`)."""

    def must_finish(self) -> None:
        """From now on the request comes to its end, late or not: what it writes or reserves is not left half way."""
        if self.deadline is not None:
            self.deadline.reschedule(None)

    def warn(self, text: str) -> None:
        """Add a warning once; upstream drops repeated texts too."""
        if text:
            self.warnings[text] = None

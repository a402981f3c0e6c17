"""The way to registries, which nobody pays for before something is pulled or pushed."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pybernetes.runtime.images.registry.session import Answer, Session

CONNECT_SECONDS = 10.0


class Http:
    """A session that is opened by the first request, closed by `close`."""

    def __init__(self, ca_file: Path | None = None) -> None:
        self._ca_file = ca_file
        self._session: Session | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> Answer:
        """See `Session.send`."""
        session = self._session or await self._open()
        return await session.send(
            method, url, headers=headers, query=query, form=form, body=body, connect_seconds=connect_seconds
        )

    async def _open(self) -> Session:
        """aiohttp takes a fifth of a second to load, for which neither a start nor other pods' containers wait."""
        async with self._opening:
            if self._session is None:
                module = await asyncio.to_thread(importlib.import_module, f"{__package__}.session")
                opened: Session = module.Session(self._ca_file)
                self._session = opened
        return self._session

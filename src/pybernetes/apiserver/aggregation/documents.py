"""What other servers publish of their APIs (OpenAPI v2 and v3), learnt when they are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from pybernetes.api.errors import StatusError
from pybernetes.api.json_text import read_json
from pybernetes.api.tree import Tree
from pybernetes.apiserver.aggregation.backends import identity_headers
from pybernetes.apiserver.kubelets.connection import BackendError, dial
from pybernetes.apiserver.kubelets.kubelets import Endpoint
from pybernetes.apiserver.openapi.merge import part_of
from pybernetes.apiserver.user import LOOPBACK

LIMIT: Final = 32 << 20
SECONDS: Final = 5.0
UNCHANGED: Final = 304


class Published(Struct, frozen=True):
    """`url` is where the document of v3 is, "" for nowhere; `part` what v2 says; `etag` that of its document."""

    url: str = ""
    part: Tree | None = None
    etag: str = ""


class Documents:
    """Those of all groups and versions that are served elsewhere."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Published] = {}

    async def learn(self, key: tuple[str, str], endpoint: Endpoint) -> bool:
        """Ask a server; whether it tells something else than before. One that tells nothing is no failure."""
        before = self._known.get(key, Published())
        group, version = key
        _, index, _ = await _fetch(endpoint, "/openapi/v3")
        found = index.get("paths") if isinstance(index, dict) else None
        entry = found.get(f"apis/{group}/{version}") if isinstance(found, dict) else None
        url = entry.get("serverRelativeURL") if isinstance(entry, dict) else None
        status, document, etag = await _fetch(endpoint, "/openapi/v2", before.etag)
        part = before.part if status == UNCHANGED else part_of(document, group, version)
        now = Published(url if isinstance(url, str) else "", part, before.etag if status == UNCHANGED else etag)
        self._known[key] = now
        return now != before

    def forget(self, key: tuple[str, str]) -> None:
        self._known.pop(key, None)

    def urls(self) -> Iterator[tuple[str, str]]:
        """Path below /openapi/v3 and URL of each document."""
        for (group, version), published in self._known.items():
            if published.url:
                yield f"apis/{group}/{version}", published.url

    def parts(self) -> Iterator[Tree]:
        for published in self._known.values():
            if published.part is not None:
                yield published.part


async def _fetch(endpoint: Endpoint, path: str, etag: str = "") -> tuple[int, Any, str]:
    """Status, document and its ETag; None for no document."""
    try:
        connection = await dial(endpoint)
    except StatusError:
        return 0, None, ""
    try:
        headers = [("Accept", "application/json"), ("Connection", "close"), *identity_headers(LOOPBACK)]
        headers += [("If-None-Match", etag)] if etag else []
        await connection.send("GET", path, endpoint.authority, headers)
        head = await connection.read_head(SECONDS)
        body = await connection.read_text(head, LIMIT) if head.status == 200 else b""
        return head.status, read_json(body) if body else None, head.header("etag")
    except (BackendError, ValueError):
        return 0, None, ""
    finally:
        connection.close()

"""Webhooks on 127.0.0.1 over HTTPS, in the process of the test."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from pybernetes.cluster.certificates import Certificates
from pybernetes.cluster.profile import Profile, Settings

Tree = dict[str, Any]


class Raw(Struct, frozen=True):
    """An answer to the letter."""

    status: int = 200
    body: str = ""
    headers: tuple[str, ...] = ()


Answer = Callable[[Tree], Awaitable[Tree | Raw]]
"""From the review that was sent to the one that is answered."""


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    """Certificates of an API server, which are for 127.0.0.1."""
    profile = Profile("hooks", Settings(), tmp_path / "state", tmp_path / "run")
    profile.save()
    Certificates(profile).ensure()
    return profile.certificates


class Hook:
    """What it was asked (the `request` of each review, and the first line of HTTP), where it is."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[Tree] = []
        self.lines: list[str] = []
        self.port = 0
        self.bundle = ""

    @property
    def config(self) -> Tree:
        return {"url": f"https://127.0.0.1:{self.port}/check", "caBundle": self.bundle}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        body = await reader.readexactly(lengths[0] if lengths else 0)
        review = json.loads(body) if body else {}
        self.lines.append(head.partition(b"\r\n")[0].decode())
        self.asked.append(review.get("request", {}))
        answer = await self._answer(review)
        raw = answer if isinstance(answer, Raw) else Raw(body=json.dumps(answer))
        headers = [f"HTTP/1.1 {raw.status} X", f"Content-Length: {len(raw.body)}", "Connection: close", *raw.headers]
        writer.write("\r\n".join([*headers, "", raw.body]).encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(pki: Path, answer: Answer) -> AsyncIterator[Hook]:
    made = Hook(answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    made.port = listening.sockets[0].getsockname()[1]
    made.bundle = base64.b64encode((pki / "ca.crt").read_bytes()).decode()
    async with listening:
        yield made


def admitting(decide: Callable[[Tree], Tree]) -> Answer:
    """Answers AdmissionReviews: what `decide` makes of the request, on top of letting it through."""

    async def answer(review: Tree) -> Tree:
        request = review["request"]
        response = {"uid": request["uid"], "allowed": True, **decide(request)}
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}

    return answer


def patch(*operations: Tree) -> Tree:
    """The response of a mutating webhook."""
    return {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(operations).encode()).decode()}

"""What is read, over a WebSocket: messages of bytes, or of base64, for clients that cannot read a plain stream."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from pybernetes.api import errors
from pybernetes.apiserver.http.message import (
    Answer,
    Duplex,
    Request,
    Response,
    StreamResponse,
    StreamWriter,
    UpgradeResponse,
)
from pybernetes.apiserver.kubelets.headers import is_upgrade
from pybernetes.streaming.duplex import WebSocket
from pybernetes.wire.channels import negotiate
from pybernetes.wire.websocket import accept_key

BINARY: Final = "binary.k8s.io"
BASE64: Final = "base64.binary.k8s.io"
PROTOCOL: Final = "Sec-WebSocket-Protocol"

Run: TypeAlias = Callable[[StreamWriter], Awaitable[None]]


def handshake(request: Request) -> list[tuple[str, str]]:
    """The headers of the 101 that the client asks for; none if it asks for no WebSocket. Raises StatusError 400."""
    headers = request.headers
    if not is_upgrade(request.header_list) or headers.get("upgrade", "").lower() != "websocket":
        return []
    key = headers.get("sec-websocket-key", "")
    offered = [each.strip() for value in request.header_values("sec-websocket-protocol") for each in value.split(",")]
    protocol = negotiate(offered, (BINARY, BASE64))
    if not key or (offered and protocol is None):
        raise errors.bad_request("unable to upgrade: no protocol in common")
    answered = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(key))]
    return [*answered, *([(PROTOCOL, protocol)] if protocol else [])]


def over_websocket(answer: Answer, headers: list[tuple[str, str]]) -> Answer:
    """The answer's body as messages, after an empty one; `headers` are those of `handshake`."""
    if isinstance(answer, UpgradeResponse) or answer.status != 200:
        return answer
    run = answer.run if isinstance(answer, StreamResponse) else _whole(answer)

    async def serve(client: Duplex) -> None:
        socket = WebSocket(_Bytes(client))
        async with asyncio.TaskGroup() as tasks:
            ear = tasks.create_task(_until_closed(socket), name="websocket/client")
            mouth = tasks.create_task(_send(socket, run, (PROTOCOL, BASE64) in headers), name="websocket/messages")
            await asyncio.wait((ear, mouth), return_when=asyncio.FIRST_COMPLETED)
            ear.cancel()
            mouth.cancel()

    return UpgradeResponse(headers, serve)


class _Bytes:
    """The client's side as the WebSocket wants it."""

    def __init__(self, client: Duplex) -> None:
        self._client = client

    async def read(self) -> bytes:
        return await self._client.read()

    async def write(self, data: bytes) -> None:
        self._client.write(data)
        await self._client.drain()

    async def close(self) -> None:
        self._client.close()


class _Messages:
    """Takes what an answer writes; each `drain` sends it."""

    def __init__(self, socket: WebSocket, is_text: bool) -> None:
        self._socket, self._is_text = socket, is_text
        self._waiting = bytearray()
        self._ending = asyncio.Event()

    @property
    def ending(self) -> asyncio.Event:
        return self._ending

    def write(self, data: bytes) -> None:
        self._waiting += data

    write_framed = write

    def buffered(self) -> int:
        return len(self._waiting)

    async def drain(self) -> None:
        data = bytes(self._waiting)
        self._waiting.clear()
        if data:
            await self.send(data)

    async def send(self, data: bytes) -> None:
        await self._socket.send(base64.b64encode(data) if self._is_text else data, text=self._is_text)


async def _until_closed(socket: WebSocket) -> None:
    """Nothing is expected of the client but its end."""
    while await socket.receive() is not None:
        pass


async def _send(socket: WebSocket, run: Run, is_text: bool) -> None:
    messages = _Messages(socket, is_text)
    try:
        await messages.send(b"")
        await run(messages)
        await messages.drain()
        await socket.close()
    except ConnectionError:
        return  # the client has gone away


def _whole(answer: Response) -> Run:
    async def run(messages: StreamWriter) -> None:
        messages.write(answer.body if isinstance(answer.body, bytes) else b"".join(answer.body))

    return run

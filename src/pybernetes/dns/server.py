"""UDP and TCP on one address: datagrams and framed streams in, answers out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

from pybernetes.aio.tasks import Scope, open_scope
from pybernetes.dns.resolver import Resolver
from pybernetes.dns.unknown import UnknownNames

_IDLE_SECONDS = 10.0
_CONNECTIONS = 256
_QUESTIONS = 4096


class _Datagrams(asyncio.DatagramProtocol):
    """Answers what it can at once; the rest in tasks, of which there are only so many."""

    def __init__(self, resolver: Resolver, scope: Scope, unknown: UnknownNames | None) -> None:
        self._resolver = resolver
        self._scope = scope
        self._unknown = unknown
        self._open = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport does not inherit from asyncio's.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        known = self._resolver.answer_known(data)
        if known is not None:
            self._send(known, addr)
        elif self._open < _QUESTIONS:
            self._open += 1
            self._scope.spawn(self._answer(data, addr), "question")

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            self._send(await self._resolver.answer(data, tcp=False), addr)
        finally:
            self._open -= 1

    def _send(self, answer: bytes, addr: tuple[str, int]) -> None:
        if answer and self._transport:
            self._transport.sendto(answer, addr)
            if self._unknown is not None:
                self._unknown.saw(answer, addr[0])


class _Streams:
    """Connections on which several questions may follow one another."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _CONNECTIONS:
                with suppress(OSError, EOFError, TimeoutError):
                    await self._converse(reader, writer)
        finally:
            self._open -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(_IDLE_SECONDS):
                data = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            answer = await self._resolver.answer(data, tcp=True)
            if not answer:
                return
            writer.write(len(answer).to_bytes(2) + answer)
            async with asyncio.timeout(_IDLE_SECONDS):
                await writer.drain()


@asynccontextmanager
async def serving(
    resolver: Resolver, address: str, port: int, unknown: UnknownNames | None = None
) -> AsyncIterator[int]:
    """Answer on the address while the block runs; yields the port, which is chosen if 0 was given. Raises OSError.

    `unknown` is shown the answers to datagrams, as which nearly all questions of pods come.
    """
    loop = asyncio.get_running_loop()
    async with open_scope("dns") as scope:
        server = await asyncio.start_server(_Streams(resolver).serve, address, port)
        bound: int = server.sockets[0].getsockname()[1]
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(resolver, scope, unknown), local_addr=(address, bound)
            )
            try:
                yield bound
            finally:
                transport.close()
        finally:
            server.close()

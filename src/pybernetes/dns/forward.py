"""Questions about other zones, asked of the host's resolvers."""

import asyncio
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from pybernetes.dns.messages import (
    NOERROR,
    NXDOMAIN,
    SERVFAIL,
    MessageError,
    Query,
    answers,
    code_of,
    failure,
    is_truncated,
    with_id,
)

log = logging.getLogger(__name__)

_ANSWER_SECONDS = 2.0
_ATTEMPTS = 2
_LIMIT = 512


class Resolvers:
    """The name servers of a resolv.conf, read again when the file changes; never one of `own` addresses."""

    def __init__(self, path: Path, own: frozenset[str] = frozenset()) -> None:
        self._path = path
        self._own = own
        self._stamp: tuple[int, int] | None = None
        self._servers: list[tuple[str, int]] = []

    def servers(self) -> list[tuple[str, int]]:
        """Addresses and ports, in the file's order; none if it cannot be read."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._servers = _read(self._path.read_text(), self._own)
                self._stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            log.warning("resolvers unknown path=%s error=%r", self._path, str(error))
            return []
        return self._servers


def _read(text: str, own: frozenset[str]) -> list[tuple[str, int]]:
    """`nameserver <address>`; an address with a port (`[::1]:5353`, `127.0.0.1:5353`) is understood too."""
    found: list[tuple[str, int]] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        host, colon, port = words[1].rpartition(":")
        if colon and port.isdigit() and (host.startswith("[") or ":" not in host):
            server = (host.strip("[]"), int(port))
        else:
            server = (words[1], 53)
        if server[0] not in own:
            found.append(server)
    return found


class Forwarder:
    """Asks the resolvers in turn; identical questions at the same time are asked once."""

    def __init__(self, resolvers: Resolvers) -> None:
        self._resolvers = resolvers
        self._asking: dict[tuple[tuple[str, str, bytes], bool], asyncio.Future[bytes]] = {}

    async def ask(self, query: Query, *, tcp: bool) -> bytes:
        """The answer, under the query's id; SERVFAIL if nobody gives one within seconds."""
        key = (query.key, tcp)
        if (known := self._asking.get(key)) is not None:
            return with_id(await asyncio.shield(known), query.data)
        if len(self._asking) >= _LIMIT:
            return failure(query, SERVFAIL)
        result = self._asking[key] = asyncio.get_running_loop().create_future()
        try:
            data = await self._ask(query, tcp)
            result.set_result(data)
            return with_id(data, query.data)
        finally:
            del self._asking[key]
            result.cancel()

    async def _ask(self, query: Query, tcp: bool) -> bytes:
        # A number of our own choice: the client's may be known to those who would like to answer instead.
        own = replace(query, data=secrets.token_bytes(2) + query.data[2:])
        last = b""
        for _ in range(_ATTEMPTS):
            for host, port in self._resolvers.servers():
                try:
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        last = await (_ask_tcp(own, host, port) if tcp else _ask_udp(own, host, port))
                except (OSError, TimeoutError, EOFError, MessageError) as error:
                    log.debug("resolver failed server=%s name=%s error=%r", host, query.name, str(error))
                    continue
                if code_of(last) in (NOERROR, NXDOMAIN):
                    return last
            if last:
                return last
        return failure(query, SERVFAIL)


@dataclass(slots=True)
class _Answer(asyncio.DatagramProtocol):
    """Waits for the datagram that answers; others are ignored."""

    query: Query
    result: asyncio.Future[bytes]

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.result.done() and answers(self.query, data):
            self.result.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(exc)


async def _ask_udp(query: Query, host: str, port: int) -> bytes:
    loop = asyncio.get_running_loop()
    result: asyncio.Future[bytes] = loop.create_future()
    # A socket per question: its port is as good as a secret.
    transport, _ = await loop.create_datagram_endpoint(lambda: _Answer(query, result), remote_addr=(host, port))
    try:
        transport.sendto(query.data)
        data = await result
    finally:
        transport.close()
    return await _ask_tcp(query, host, port) if is_truncated(data) else data


async def _ask_tcp(query: Query, host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(len(query.data).to_bytes(2) + query.data)
        data = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
    finally:
        writer.close()
    if not answers(query, data):
        raise MessageError("answer to another question")
    return data

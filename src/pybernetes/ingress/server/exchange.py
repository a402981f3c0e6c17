"""One request on its way to a backend, and what becomes of it."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from pybernetes.api.endpoints import Target
from pybernetes.ingress.decide import Forward
from pybernetes.ingress.server.message import CHUNKED, Client, Headers, header, passed_on, request_head

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
ATTEMPTS = 3


class Answering(Protocol):
    """The client's side of an exchange, as whoever has the answer sees it."""

    client: Client

    def inform(self, exchange: Exchange, status: int, reason: bytes, headers: Headers) -> None:
        """An answer before the answer (1xx)."""
        ...

    def begin_answer(self, exchange: Exchange, status: int, reason: bytes, headers: Headers, *, has_body: bool) -> None:
        """The head; without a body the answer is complete for the client."""
        ...

    def send_part(self, exchange: Exchange, data: bytes) -> None:
        """Of the body."""
        ...

    def end_answer(self, exchange: Exchange, trailers: Headers = ()) -> None:
        """The body is complete."""
        ...

    def answered(self, exchange: Exchange, *, keep: bool) -> None:
        """All of the answer is out; without `keep` its end is that of the connection."""
        ...

    def hold(self, *, backend: bool) -> None:
        """Whether the backend is too slow for what the client sends."""
        ...

    def pipe(self, exchange: Exchange) -> None:
        """From now on bytes go through as they are (HTTP/1.1 only)."""
        ...

    def send(self, data: bytes) -> None:
        """Bytes as they are, after `pipe`."""
        ...

    def end_raw(self) -> None: ...

    def close(self) -> None: ...

    def cork(self) -> None:
        """What is sent from now on goes out at once with `uncork`: head and body in one packet."""
        ...

    def uncork(self) -> None: ...

    def broken_off(self, exchange: Exchange, why: str) -> None:
        """The backend has gone before its answer was complete."""
        ...

    def failed(self, exchange: Exchange, status: int, message: str) -> None:
        """There will be no (more of an) answer."""
        ...


class Taker(Protocol):
    """The backend's side of an exchange."""

    def send_body(self, data: bytes) -> None: ...

    def end_body(self) -> None:
        """The request is out, and the time for its answer begins."""
        ...

    def give_up(self) -> None:
        """The client has gone, or has been answered otherwise."""
        ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def send_raw(self, data: bytes) -> None:
        """After an upgrade."""
        ...

    def end_raw(self) -> None: ...


class Exchange:
    """Filled by the client's connection while the request arrives; at most one upstream works on it at a time."""

    __slots__ = (
        "answered",
        "attempts",
        "begun",
        "chunks",
        "complete",
        "expects",
        "forward",
        "has_body",
        "headers",
        "host",
        "is_chunked",
        "keep_alive",
        "method",
        "modern",
        "raw",
        "received",
        "side",
        "started",
        "target",
        "upgrade",
        "upstream",
        "waiting",
    )  # fmt: skip

    def __init__(self, side: Answering) -> None:
        self.side = side
        self.method = self.target = self.host = self.upgrade = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.keep_alive = self.modern = True
        self.is_chunked = self.has_body = self.expects = False
        self.chunks = False
        """Whether the answer goes out in chunks."""
        self.received = 0
        # It has been sent on its way; the request has arrived as a whole; the first byte of an answer has gone out; all
        # of it has.
        self.begun = self.complete = self.started = self.answered = False
        self.forward: Forward | None = None
        self.upstream: Taker | None = None
        self.attempts = 0
        # Of the body, or of what follows an upgrade, while there is no upstream yet.
        self.waiting: deque[bytes] = deque()
        self.raw = b""

    def begin(self) -> None:
        """Called when all headers are there."""
        self.host = header(self.headers, b"host")
        self.is_chunked = bool(header(self.headers, b"transfer-encoding"))
        length = header(self.headers, b"content-length")
        self.has_body = self.is_chunked or length not in (b"", b"0")
        self.expects = header(self.headers, b"expect").lower() == b"100-continue"

    def may_begin(self) -> bool:
        """Whether its head is there, and nothing has been done about it."""
        return bool(self.method) and not self.begun

    def length(self) -> int:
        """As announced; 0 if it is not."""
        text = header(self.headers, b"content-length")
        return int(text) if text.isdigit() else 0

    def head(self, client: Client) -> bytes:
        """As the backend gets it."""
        assert self.forward is not None
        own = client.forwarded(self.host)
        if self.is_chunked:
            own += CHUNKED
        if self.upgrade:
            own += b"Connection: Upgrade\r\nUpgrade: " + self.upgrade + b"\r\n"
        return request_head(self.method, self.forward.target.encode("latin-1"), self.headers, own)

    def fields(self, client: Client, secure: bool) -> list[tuple[bytes, bytes]]:
        """The head as a backend of HTTP/2 gets it; trailers are what gRPC ends with."""
        assert self.forward is not None
        lines = (line.partition(b": ") for line in client.forwarded(self.host).split(b"\r\n") if line)
        own = [(name.lower(), value) for name, _, value in lines if name != b"Host"]
        pseudo = [
            (b":method", self.method),
            (b":scheme", b"https" if secure else b"http"),
            (b":authority", self.host),
            (b":path", self.forward.target.encode("latin-1")),
        ]
        kept = [(name.lower(), value) for name, value in passed_on(self.headers, from_client=True)]
        return [*pseudo, *kept, *own, (b"te", b"trailers")]

    def may_repeat(self) -> bool:
        """Whether another endpoint may get the request after one has broken off without a word."""
        return self.method in IDEMPOTENT and not self.has_body and not self.started and self.attempts < ATTEMPTS

    def receive(self, data: bytes) -> None:
        """A part of the body, to whoever is there for it; nobody wants it once the answer is out."""
        if self.upstream is not None:
            self.upstream.send_body(data)
        elif not self.answered:
            self.waiting.append(data)

    def finish(self) -> None:
        """The body is complete."""
        self.complete = True
        if self.upstream is not None:
            self.upstream.end_body()


def order(targets: tuple[Target, ...], turn: int) -> list[Target]:
    """All targets, beginning with the one whose turn it is."""
    start = turn % len(targets)
    return [*targets[start:], *targets[:start]]

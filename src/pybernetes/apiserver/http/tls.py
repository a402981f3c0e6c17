"""TLS connections whose socket OpenSSL reads and writes itself.

An event loop's own TLS passes each byte through two memory buffers and a transport below: for a small answer or a watch
event that is most of its cost. Here a write is one call that encrypts and sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

log = logging.getLogger(__name__)

RECORD: Final = 16 << 10
"""The most that a record holds (RFC 8446, section 5.1): to read so much leaves nothing decrypted behind."""
RECORDS_AT_ONCE: Final = 64
"""Read of one connection before others have their turn."""
ACCEPTED_AT_ONCE: Final = 64
HANDSHAKE_SECONDS: Final = 60.0
CLOSE_SECONDS: Final = 30.0
"""For a client to take what is left."""
LINGER_SECONDS: Final = 1.0
"""For a client to hang up too: a socket closed before that, with something unread, would take the answer back."""
OUT_OF_DESCRIPTORS: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
PAUSE_SECONDS: Final = 1.0

NO_TLS: Final = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
"""For those who write http:// where https:// is meant."""

Data: TypeAlias = bytes | bytearray | memoryview


class TLSTransport(asyncio.Transport):
    """The server's side of one connection; the protocol hears of it once the handshake is over."""

    def __init__(
        self, connected: socket.socket, peer: Any, context: ssl.SSLContext, protocol: asyncio.Protocol
    ) -> None:
        """Takes the socket over. Raises OSError if the client has gone."""
        self._facts: dict[str, Any] = {"peername": peer, "sslcontext": context}
        super().__init__(self._facts)
        connected.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._socket = context.wrap_socket(
            connected, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        self._descriptor = self._socket.fileno()
        self._protocol = protocol
        self._made = False
        self._closing = False
        self._lost = False
        self._has_ended = False
        """Whether the client has said that nothing more comes."""
        self._reading = True
        self._paused = False
        self._watches_writes = False
        self._queue: deque[Data] = deque()
        self._queued = 0
        self._high, self._low = 64 << 10, 16 << 10
        self._timer = self._loop.call_later(HANDSHAKE_SECONDS, self.abort)
        self._loop.add_reader(self._descriptor, self._shake)

    def _shake(self) -> None:
        self._watch_writes(None)
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLWantWriteError:
            self._watch_writes(self._shake)
            return
        except (OSError, ValueError) as error:  # OpenSSL has told the client why, if it speaks TLS
            if getattr(error, "reason", "") == "HTTP_REQUEST":
                with contextlib.suppress(OSError):
                    os.write(self._descriptor, NO_TLS)
            self._closing = True
            self._hang_up()
            return
        self._timer.cancel()
        self._facts["ssl_object"] = self._socket
        self._made = True
        self._loop.add_reader(self._descriptor, self._readable)
        self._protocol.connection_made(self)

    # Reading.

    def _readable(self) -> None:
        receive, take = self._socket.recv, self._protocol.data_received
        for _ in range(RECORDS_AT_ONCE):
            try:
                data = receive(RECORD)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLWantWriteError:  # new keys of TLS 1.3 are to be confirmed, and there is no room
                self._watch_writes(self._writable)
                return
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                data = b""
            except OSError as error:
                self._fail(error)
                return
            if not data:
                self._has_ended = True
                self._protocol.eof_received()
                self.close()
                return
            try:
                take(data)
            except Exception:
                log.exception("connection failed peer=%s", self._facts["peername"])
                self.abort()
                return
            if len(data) < RECORD or not self._reading or self._closing:
                break
        if self._queue and not self._watches_writes:
            self._writable()

    def pause_reading(self) -> None:
        if self._reading and not self._closing:
            self._reading = False
            self._loop.remove_reader(self._descriptor)

    def resume_reading(self) -> None:
        if not self._reading and not self._closing:
            self._reading = True
            self._loop.add_reader(self._descriptor, self._readable)

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    # Writing.

    def write(self, data: Data) -> None:
        """Send now what the socket takes, keep the rest."""
        if self._closing:
            return
        if not self._queue:
            data = self._send(data)
        if data:
            self._queue.append(data)
            self._queued += len(data)
            if self._queued > self._high and not self._paused:
                self._paused = True
                self._protocol.pause_writing()

    def _send(self, data: Data) -> Data:
        """What of it is left. A record that was begun is sent again with the same bytes: see `SSL_write`."""
        try:
            sent = self._socket.send(data)
            while sent < len(data):
                data = memoryview(data)[sent:]
                sent = self._socket.send(data)
        except ssl.SSLWantWriteError:
            self._watch_writes(self._writable)
            return data
        except ssl.SSLWantReadError:
            return data
        except OSError as error:
            self._fail(error)
        return b""

    def _writable(self) -> None:
        self._watch_writes(None)
        while self._queue:
            data = self._queue[0]
            left = self._send(data)
            self._queued -= len(data) - len(left)
            if self._lost:
                return
            if left:
                self._queue[0] = left
                break
            self._queue.popleft()
        if self._paused and self._queued <= self._low:
            self._paused = False
            self._protocol.resume_writing()
        if self._closing and not self._queue:
            self._say_goodbye()

    def _watch_writes(self, then: Callable[[], None] | None) -> None:
        """Be called once the socket takes more."""
        if then is not None:
            self._watches_writes = True
            self._loop.add_writer(self._descriptor, then)
        elif self._watches_writes:
            self._watches_writes = False
            self._loop.remove_writer(self._descriptor)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = 64 << 10 if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_size(self) -> int:
        return self._queued

    def can_write_eof(self) -> bool:
        return False

    # The end.

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Read no more, send what is left, say goodbye, and hang up. Safe to repeat."""
        if self._closing:
            return
        self._closing = True
        self._timer.cancel()
        self._loop.remove_reader(self._descriptor)
        if not self._queue:
            self._say_goodbye()
        else:
            self._timer = self._loop.call_later(CLOSE_SECONDS, self.abort)

    def abort(self) -> None:
        self._finish(None)

    def _say_goodbye(self) -> None:
        """Alert the client of the end (close_notify)."""
        if not self._lost:
            with contextlib.suppress(OSError, ValueError):
                self._socket.unwrap()
            self._hang_up()

    def _hang_up(self) -> None:
        """Send no more, and wait for the client to hang up, if it has not."""
        self._timer.cancel()
        self._loop.remove_reader(self._descriptor)
        if self._has_ended:
            self._finish(None)
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._finish(None)
            return
        self._timer = self._loop.call_later(LINGER_SECONDS, self.abort)
        self._loop.add_reader(self._descriptor, self._drain)
        self._drain()

    def _drain(self) -> None:
        """What still comes is for nobody: bytes that were never decrypted."""
        try:
            while self._socket.recv(RECORD * 4):
                pass
        except BlockingIOError:
            return
        except OSError:
            pass
        self._finish(None)

    def _fail(self, error: OSError) -> None:
        """Nothing can be sent or read any more; the protocol hears of it at the next turn, for it may be writing."""
        if not self._closing:
            self._closing = True
            self._loop.remove_reader(self._descriptor)
        self._queue.clear()
        self._queued = 0
        self._watch_writes(None)
        self._loop.call_soon(self._finish, error)

    def _finish(self, error: Exception | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        self._timer.cancel()
        self._queue.clear()
        self._queued = 0
        self._loop.remove_reader(self._descriptor)
        self._watch_writes(None)
        self._socket.close()
        if self._made:
            self._protocol.connection_lost(error)


class TLSListener:
    """Accepts connections on a bound socket until it is closed."""

    def __init__(
        self, bound: socket.socket, context: ssl.SSLContext, protocol: Callable[[], asyncio.Protocol], backlog: int
    ) -> None:
        bound.setblocking(False)
        bound.listen(backlog)
        self._loop = asyncio.get_running_loop()
        self._socket = bound
        self._context = context
        self._protocol = protocol
        self._retry: asyncio.TimerHandle | None = None
        self._loop.add_reader(bound, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connected, peer = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in OUT_OF_DESCRIPTORS:
                    raise
                log.warning("connections not accepted for a while error=%s", error)
                self._loop.remove_reader(self._socket)
                self._retry = self._loop.call_later(PAUSE_SECONDS, self._loop.add_reader, self._socket, self._accept)
                return
            try:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                TLSTransport(connected, peer, self._context, self._protocol())
            except (OSError, ValueError):
                connected.close()

    def close(self) -> None:
        """Accept no more; connections stand. Safe to repeat."""
        if self._retry is not None:
            self._retry.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

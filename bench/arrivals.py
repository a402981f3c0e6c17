"""The watching side of watchers.py, a process of its own: when each of many connections has each event.

It decrypts what comes and notes the time; which update it was is read afterwards, so that the one core it runs on is not
what is measured.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from pybernetes.client.config import Config

NUMBER = re.compile(rb'"n":"(\d+)"')
RECORD = 16 << 10
SILENCE = 20.0
"""Seconds without an event after which no more are waited for."""


def follow(pipe: Connection, config: Config, path: str, watchers: int, updates: int) -> None:
    """Open the watches, say so, and tell at the end for each update that arrived its number and the moment."""
    watches, context = {}, config.ssl_context()
    for _ in range(watchers):
        watch = _open(config, context, path)
        watches[watch.fileno()] = watch
    pipe.send(watchers)
    pipe.send(_numbers(_arrivals(watches, watchers * updates)))
    for watch in watches.values():
        watch.close()


def _open(config: Config, context: ssl.SSLContext, path: str) -> ssl.SSLSocket:
    server = urlsplit(config.server)
    host, port = server.hostname or "", server.port or 443
    plain = socket.create_connection((host, port))
    watch = context.wrap_socket(plain, server_hostname=host)
    authorization = f"Authorization: Bearer {config.token}\r\n" if config.token else ""
    watch.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: application/json\r\n{authorization}\r\n".encode()
    )
    head = watch.recv(RECORD)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"watch: {head!r}")
    watch.setblocking(False)
    return watch


def _arrivals(watches: dict[int, ssl.SSLSocket], expected: int) -> list[tuple[int, float, bytes]]:
    """What came, on which connection, when; an event that came in several records is there at the last."""
    noted: list[tuple[int, float, bytes]] = []
    waiting = select.epoll()
    receivers = {}
    for number, watch in watches.items():
        waiting.register(number, select.EPOLLIN)
        receivers[number] = watch.recv
    events = 0
    while events < expected and (ready := waiting.poll(SILENCE)):
        for number, _ in ready:
            try:
                data = receivers[number](RECORD)
            except ssl.SSLWantReadError:
                continue
            if not data:
                raise RuntimeError("a watch ended early")
            noted.append((number, time.monotonic(), data))
            events += data.count(b'"n":"')
    return noted


def _numbers(noted: list[tuple[int, float, bytes]]) -> list[tuple[int, float]]:
    return [(int(found), moment) for _, moment, data in noted for found in NUMBER.findall(data)]

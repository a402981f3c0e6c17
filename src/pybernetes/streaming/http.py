"""The head of an upgrade request, and its answers."""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

LIMIT = 64 * 1024


class HeadError(ValueError):
    """What came is no request."""


class Head(Struct, frozen=True):
    """A request's head. Names of headers are in lower case, repeated ones joined by commas."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]

    def listed(self, name: str) -> list[str]:
        """The elements of a comma-separated header."""
        return [part.strip() for part in self.headers.get(name, "").split(",") if part.strip()]


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """None if the connection ended. Raises HeadError."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as error:
        raise HeadError("request head is too long") from error
    first, *lines = text.rstrip("\r\n").split("\r\n")
    try:
        method, target, _ = first.split(" ")
    except ValueError as error:
        raise HeadError("malformed request line") from error
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise HeadError("malformed header")
        key = name.strip().lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    parts = urlsplit(target)
    return Head(method, parts.path, parse_qs(parts.query), headers)


def switching(headers: Mapping[str, str]) -> bytes:
    """101, with the headers of what was agreed on."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    return f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n{''.join(lines)}\r\n".encode("latin-1")


def refusal(status: str, message: str) -> bytes:
    body = message.encode() + b"\n"
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

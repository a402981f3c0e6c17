"""Continue tokens: upstream's form, base64 of JSON with the revision and where to go on."""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct

from pybernetes.api.errors import StatusError, bad_request


class Position(Struct, frozen=True):
    """`after` is the last key already given, relative to the listed prefix. Revision -1: whatever is current."""

    revision: int
    after: str


class _Token(msgspec.Struct):
    v: str
    rv: int
    start: str


def encode_continue(position: Position) -> str:
    token = _Token("meta.k8s.io/v1", position.revision, position.after + "\0")
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=").decode()


def decode_continue(text: str, prefix: str) -> Position:
    """Where a token points. Raises StatusError 400."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        token = msgspec.json.decode(raw, type=_Token)
    except (binascii.Error, ValueError) as error:
        raise _invalid(f"continue key is not valid: {error}") from error
    if token.v != "meta.k8s.io/v1" or token.rv == 0:
        raise _invalid("continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    if not token.start or token.start.startswith("/") or ".." in token.start.split("/"):
        raise _invalid(f"continue key is not valid: encoded start key empty or escapes {prefix!r}")
    return Position(token.rv, token.start.rstrip("\0"))


def _invalid(why: str) -> StatusError:
    return bad_request(why)

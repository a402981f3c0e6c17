"""Continue tokens: upstream's form, base64 of JSON with the revision and where to go on."""

from __future__ import annotations

import base64
import posixpath
import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from pybernetes.api.decode import json_type
from pybernetes.api.errors import StatusError, bad_request
from pybernetes.apiserver.json_errors import JSONError, parse_json

_VERSION: Final = "meta.k8s.io/v1"
_TYPES: Final = {"v": ("string", str), "rv": ("int64", int), "start": ("string", str)}
_FOREIGN: Final = re.compile(r"[^-_A-Za-z0-9]")


class Position(Struct, frozen=True):
    """`after` is the last key already given, relative to the listed prefix. Revision -1: whatever is current."""

    revision: int
    after: str


def encode_continue(position: Position) -> str:
    token = {"v": _VERSION, "rv": position.revision, "start": position.after + "\0"}
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=").decode()


def decode_continue(text: str) -> Position:
    """Where a token points. Raises StatusError 400."""
    token = _fields(_decoded(text))
    if token["v"] != _VERSION:
        raise _invalid(f"server does not recognize this encoded version {token['v']}")
    if token["rv"] == 0:
        raise _invalid(f"incorrect encoded start resourceVersion (version {_VERSION})")
    start = token["start"]
    if not start:
        raise _invalid(f"encoded start key empty (version {_VERSION})")
    # Nobody may read what lies beside the listed collection.
    key = start if start.startswith("/") else f"/{start}"
    if posixpath.normpath(key) != key or key.startswith("//"):
        raise _invalid(start)
    return Position(token["rv"], key[1:].rstrip("\0"))


def _decoded(text: str) -> bytes:
    """Base64 without padding; where it ends, in the words of Go's decoder."""
    foreign = _FOREIGN.search(text)
    if foreign is not None:
        raise _invalid(f"illegal base64 data at input byte {foreign.start()}")
    if len(text) % 4 == 1:
        raise _invalid(f"illegal base64 data at input byte {len(text) - 1}")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _fields(raw: bytes) -> dict[str, Any]:
    try:
        value = parse_json(raw)
    except JSONError as error:
        raise _invalid(str(error)) from error
    if not isinstance(value, dict | None):
        raise _invalid(f"json: cannot unmarshal {json_type(value)} into Go value of type storage.continueToken")
    found: dict[str, Any] = {"v": "", "rv": 0, "start": ""}
    for name, (go_type, type_) in _TYPES.items():
        held = (value or {}).get(name)
        if held is not None and (not isinstance(held, type_) or isinstance(held, bool)):
            words = (
                f"json: cannot unmarshal {json_type(held)} into Go struct field continueToken.{name} of type {go_type}"
            )
            raise _invalid(words)
        found[name] = found[name] if held is None else held
    return found


def _invalid(why: str) -> StatusError:
    return bad_request(f"invalid continue token: continue key is not valid: {why}")

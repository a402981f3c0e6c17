"""The bytes of a request's body, and the object that they are: JSON, YAML or protobuf, as upstream reads them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

import msgspec

from pybernetes.api.decode import duplicate_fields, field_warnings, in_text_order, json_type, merged
from pybernetes.api.errors import StatusError, bad_request, request_entity_too_large, timeout
from pybernetes.api.field import quote
from pybernetes.api.json_text import refuse_depth
from pybernetes.api.protobuf import MessageError, NoMessageError, ProtobufError
from pybernetes.api.protobuf import decode_object as decode_object_message
from pybernetes.api.schema import Schema
from pybernetes.api.scheme import split_api_version
from pybernetes.api.tree import Tree
from pybernetes.apiserver.http.message import BodyTooLargeError, DisconnectedError, Request, SlowBodyError
from pybernetes.apiserver.json_errors import TYPE_META, JSONError, parse_json
from pybernetes.apiserver.negotiate import JSON, PROTOBUF
from pybernetes.apiserver.yaml import from_yaml, repeated_keys

_SUMMARY: Final = 30
_MAX_COMPLAINTS: Final = 100
"""A strict reader of JSON stops counting there."""


async def read_body(request: Request) -> bytes:
    """The body. Raises StatusError 400, 413, 504."""
    try:
        return await request.body()
    except BodyTooLargeError as error:
        raise request_entity_too_large("limit is 3145728") from error
    except SlowBodyError as error:
        raise timeout("request did not complete within the allotted timeout") from error
    except DisconnectedError as error:
        raise bad_request(str(error)) from error


Complaints: TypeAlias = Callable[[list[str]], list[str]]
"""What a strict reader says of a body, given the fields in it that are unknown."""


class BodyError(ValueError):
    """A body that is no object; what it says of its type, if it says so much."""

    def __init__(self, why: str, api_version: str = "", kind: str = "") -> None:
        super().__init__(why)
        self.api_version = api_version
        self.kind = kind


def parse_object(
    body: bytes, media: str, api_version: str, kind: str, schema: Schema | None
) -> tuple[Tree, Complaints]:
    """The object in a body, which is to be of this kind, and what is wrong with its fields. Raises StatusError 400.

    `schema` is that of a built-in kind.
    """
    try:
        return parse_body(body, media, api_version, kind, schema)
    except BodyError as error:
        if error.kind:
            version = split_api_version(error.api_version)[1]
            words = f"{error.kind} in version {quote(version)} cannot be handled as a {kind}: {error}"
            raise bad_request(words) from error
        raise unrecognized(kind, str(error), body) from error


def parse_body(body: bytes, media: str, api_version: str, kind: str, schema: Schema | None) -> tuple[Tree, Complaints]:
    """The same. Raises BodyError."""
    if media == PROTOBUF:
        return _parse_message(body, api_version, kind), _unknown
    try:
        value = parse_json(body) if media == JSON else from_yaml(body)
    except JSONError as error:
        raise BodyError(f"couldn't get version/kind; json parse error: {error}") from error
    except ValueError as error:
        raise BodyError(str(error)) from error
    if value is None:
        value = {}
    if not isinstance(value, dict):
        words = f"json: cannot unmarshal {json_type(value)} into Go value of type {TYPE_META}"
        raise BodyError(f"couldn't get version/kind; json parse error: {words}")
    if media == JSON:
        # What our own encoder writes anew byte by byte has nothing twice: that is quicker than to look for it.
        if msgspec.json.encode(value) == body or not duplicate_fields(body):
            return value, _unknown
        return value if schema is None else merged(schema, body), partial(_mixed_complaints, body)
    repeated = repeated_keys(body)
    return value, (lambda unknown: [repeated, *_unknown(unknown)]) if repeated else _unknown


def _parse_message(body: bytes, api_version: str, kind: str) -> Tree:
    try:
        tree = decode_object_message(body, api_version, kind)
        refuse_depth(tree)
    except NoMessageError as error:
        return {"apiVersion": error.api_version, "kind": error.kind}  # which the check of types refuses
    except MessageError as error:
        raise BodyError(str(error), error.api_version, error.kind) from error
    except (ProtobufError, ValueError) as error:
        raise BodyError(str(error)) from error
    return tree


def _unknown(unknown: list[str]) -> list[str]:
    return field_warnings(unknown[:_MAX_COMPLAINTS])


def _mixed_complaints(body: bytes, unknown: list[str]) -> list[str]:
    known = set(unknown)
    found = [
        f'duplicate field "{path}"' if is_repeated else f'unknown field "{path}"'
        for path, is_repeated in in_text_order(body, known)
        if not (is_repeated and path in known)
    ]
    return found[:_MAX_COMPLAINTS]


def unrecognized(kind: str, why: str, body: bytes | None) -> StatusError:
    shown = "" if body is None else f" ({_summary(body)})"
    return bad_request(f"the object provided is unrecognized (must be of type {kind}): {why}{shown}")


def _summary(body: bytes) -> str:
    """How a body begins: as text where it may be JSON, else in hexadecimal digits."""
    begin = body[:_SUMMARY]
    shown = begin.decode(errors="replace") if body[:1] == b"{" else begin.hex()
    return (shown + " ..." if len(body) > _SUMMARY else shown) or "<empty>"

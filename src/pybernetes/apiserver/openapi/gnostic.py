"""OpenAPI v2 in protobuf, which kubectl asks for when it validates a List by itself.

Messages and field numbers are those of OpenAPIv2.proto (package openapi.v2, google/gnostic), as far as our documents go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from pybernetes.apiserver.context import Tree
from pybernetes.wire.protobuf import LENGTH, VARINT, delimited, encode_tag

ASKED_FOR = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""How it is called in answers: "@" is no character of a media type."""

_SCHEMA_TEXTS = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13}
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}
_Encode = Callable[[Any], bytes]


def document(swagger: Tree) -> bytes:
    """A whole document, as `as_swagger` makes it."""
    info = swagger["info"]
    return b"".join((
        _text(1, swagger["swagger"]),
        _message(2, _text(1, info["title"]) + _text(2, info["version"])),
        _message(8, _named(2, swagger["paths"], _path_item)),
        _message(9, _named(1, swagger["definitions"], _schema)),
        *(_message(12, _named(1, one, lambda scopes: _texts(1, scopes))) for one in swagger["security"]),
        _message(13, _named(1, swagger["securityDefinitions"], _api_key)),
    ))  # fmt: skip


def _path_item(item: Tree) -> bytes:
    return b"".join(_message(_METHODS[method], _operation(one)) for method, one in item.items() if method in _METHODS)


def _operation(operation: Tree) -> bytes:
    return b"".join((
        _text(3, operation.get("description", "")),
        _text(5, operation.get("operationId", "")),
        _texts(6, operation.get("produces", ())),
        _texts(7, operation.get("consumes", ())),
        *(_message(8, _message(1, _parameter(one))) for one in operation.get("parameters", ())),
        _message(9, _named(1, operation["responses"], lambda one: _message(1, _response(one)))),
        _extensions(13, operation),
    ))  # fmt: skip


def _parameter(parameter: Tree) -> bytes:
    if parameter["in"] == "body":
        body = _text(2, parameter["name"]) + _text(3, "body") + _flag(4, parameter.get("required", False))
        return _message(1, body + _message(5, _schema(parameter["schema"])))
    name, kind = parameter["name"], parameter["type"]
    if parameter["in"] == "path":
        inner = _flag(1, True) + _text(2, "path") + _text(4, name) + _text(5, kind) + _flag(19, True)
        return _message(2, _message(4, inner))
    return _message(2, _message(3, _text(2, "query") + _text(4, name) + _text(6, kind) + _flag(20, True)))


def _response(response: Tree) -> bytes:
    schema = _message(2, _message(1, _schema(response["schema"]))) if "schema" in response else b""
    return _text(1, response["description"]) + schema


def _schema(schema: Tree) -> bytes:
    parts = [_text(number, schema.get(key, "")) for key, number in _SCHEMA_TEXTS.items()]
    if "default" in schema:
        parts.append(_message(5, _any(schema["default"])))
    parts.append(_texts(19, schema.get("required", ())))
    parts += (_message(20, _any(one)) for one in schema.get("enum", ()))
    if (more := schema.get("additionalProperties")) is not None:
        parts.append(_message(21, _flag(2, more) if isinstance(more, bool) else _message(1, _schema(more))))
    if kind := schema.get("type"):
        parts.append(_message(22, _texts(1, [kind] if isinstance(kind, str) else kind)))
    if items := schema.get("items"):
        parts.append(_message(23, _message(1, _schema(items))))
    parts += (_message(24, _schema(one)) for one in schema.get("allOf", ()))
    if properties := schema.get("properties"):
        parts.append(_message(25, _named(1, properties, _schema)))
    return b"".join((*parts, _extensions(31, schema)))


def _api_key(definition: Tree) -> bytes:
    fields = (_text(number, definition[key]) for number, key in enumerate(("type", "name", "in", "description"), 1))
    return _message(2, b"".join(fields))


def _extensions(number: int, node: Tree) -> bytes:
    return _named(number, {key: value for key, value in node.items() if key.startswith("x-")}, _any)


def _any(value: Any) -> bytes:
    """A value as YAML, which JSON is."""
    return _text(2, msgspec.json.encode(value).decode())


def _named(number: int, values: Mapping[str, Any], encode: _Encode) -> bytes:
    """A map, as a list of pairs of name and value."""
    return b"".join(_message(number, _text(1, name) + _message(2, encode(one))) for name, one in values.items())


def _texts(number: int, values: Iterable[str]) -> bytes:
    return b"".join(_text(number, value) for value in values)


def _text(number: int, value: str) -> bytes:
    return encode_tag(number, LENGTH) + delimited(value.encode()) if value else b""


def _flag(number: int, value: bool) -> bytes:
    return encode_tag(number, VARINT) + b"\x01" if value else b""


def _message(number: int, payload: bytes) -> bytes:
    return encode_tag(number, LENGTH) + delimited(payload)

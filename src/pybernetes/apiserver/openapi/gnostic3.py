"""OpenAPI v3 in protobuf, as client-go asks for it.

Messages and field numbers are those of OpenAPIv3.proto (package openapi.v3, google/gnostic), as far as our documents go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pybernetes.api.tree import Tree
from pybernetes.apiserver.openapi.gnostic_parts import (
    any_value,
    double,
    extensions,
    flag,
    integer,
    message,
    named,
    text,
    texts,
)

ASKED_FOR: Final = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"
MEDIA_TYPE: Final = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"
"""How it is called in answers: "@" is no character of a media type."""

_METHODS: Final = {"get": 4, "put": 5, "post": 6, "delete": 7, "options": 8, "head": 9, "patch": 10, "trace": 11}
_FLAGS: Final = {
    "nullable": 1, "readOnly": 3, "writeOnly": 4, "deprecated": 8, "exclusiveMaximum": 12, "exclusiveMinimum": 14,
    "uniqueItems": 20,
}  # fmt: skip
_TEXTS: Final = {"title": 9, "pattern": 17, "type": 25, "description": 34, "format": 35}
_DOUBLES: Final = {"multipleOf": 10, "maximum": 11, "minimum": 13}
_INTEGERS: Final = {
    "maxLength": 15, "minLength": 16, "maxItems": 18, "minItems": 19, "maxProperties": 21, "minProperties": 22,
}  # fmt: skip
_JUNCTORS: Final = {"allOf": 26, "oneOf": 27, "anyOf": 28}


def document(openapi: Tree) -> bytes:
    """One document of /openapi/v3."""
    info, components = openapi["info"], openapi["components"]
    schemes = components["securitySchemes"]
    return b"".join((
        text(1, openapi["openapi"]),
        message(2, text(1, info["title"]) + text(6, info["version"])),
        message(4, named(1, openapi["paths"], _path_item)),
        message(5, message(1, named(1, components["schemas"], _schema_or_reference))
                + message(7, named(1, schemes, lambda one: message(1, _security_scheme(one))))),
    ))  # fmt: skip


def _path_item(item: Tree) -> bytes:
    operations = (message(number, _operation(item[method])) for method, number in _METHODS.items() if method in item)
    return b"".join(operations) + _parameters(13, item)


def _operation(operation: Tree) -> bytes:
    body = operation.get("requestBody")
    return b"".join((
        texts(1, operation.get("tags", ())),
        text(3, operation.get("description", "")),
        text(5, operation.get("operationId", "")),
        _parameters(6, operation),
        b"" if body is None else message(7, message(1, _request_body(body))),
        message(8, named(2, operation["responses"], lambda one: message(1, _response(one)))),
        extensions(13, operation),
    ))  # fmt: skip


def _parameters(number: int, node: Tree) -> bytes:
    return b"".join(message(number, message(1, _parameter(one))) for one in node.get("parameters", ()))


def _parameter(parameter: Tree) -> bytes:
    schema = parameter.get("schema")
    return b"".join((
        text(1, parameter["name"]),
        text(2, parameter["in"]),
        text(3, parameter.get("description", "")),
        flag(4, parameter.get("required", False)),
        b"" if schema is None else message(10, _schema_or_reference(schema)),
    ))  # fmt: skip


def _request_body(body: Tree) -> bytes:
    return text(1, body.get("description", "")) + _content(2, body) + flag(3, body.get("required", False))


def _response(response: Tree) -> bytes:
    return text(1, response["description"]) + _content(3, response)


def _content(number: int, node: Tree) -> bytes:
    content = node.get("content")
    return message(number, named(1, content, lambda one: message(1, _schema_or_reference(one["schema"])))) if content else b""  # fmt: skip


def _security_scheme(scheme: Tree) -> bytes:
    numbers = {"type": 1, "description": 2, "name": 3, "in": 4}
    return b"".join(text(number, scheme.get(key, "")) for key, number in numbers.items())


def _schema_or_reference(schema: Tree) -> bytes:
    if "$ref" in schema:
        return message(2, text(1, schema["$ref"]))
    return message(1, _schema(schema))


def _schema(schema: Tree) -> bytes:
    parts = [
        *_each(schema, _FLAGS, flag), *_each(schema, _TEXTS, text), *_each(schema, _DOUBLES, double),
        *_each(schema, _INTEGERS, integer), texts(23, schema.get("required", ())),
        *(message(24, any_value(one)) for one in schema.get("enum", ())),
    ]  # fmt: skip
    for junctor, number in _JUNCTORS.items():
        parts += (message(number, _schema_or_reference(one)) for one in schema.get(junctor, ()))
    if (denied := schema.get("not")) is not None:
        parts.append(message(29, _schema(denied)))
    if (items := schema.get("items")) is not None:
        parts.append(message(30, message(1, _schema_or_reference(items))))
    if properties := schema.get("properties"):
        parts.append(message(31, named(1, properties, _schema_or_reference)))
    if (more := schema.get("additionalProperties")) is not None:
        inner = flag(2, more) if isinstance(more, bool) else message(1, _schema_or_reference(more))
        parts.append(message(32, inner))
    parts.append(_default(schema.get("default")))
    return b"".join((*parts, extensions(36, schema)))


def _default(value: Any) -> bytes:
    """There is no message for defaults that are objects or lists."""
    if isinstance(value, bool):
        return message(33, flag(2, value))
    if isinstance(value, int | float):
        return message(33, double(1, value))
    return message(33, text(3, value)) if isinstance(value, str) else b""


def _each(schema: Tree, numbers: Mapping[str, int], encode: Callable[[int, Any], bytes]) -> list[bytes]:
    return [encode(number, schema[key]) for key, number in numbers.items() if key in schema]

"""OpenAPI v2 in protobuf, which kubectl asks for when it validates a List by itself.

Messages and field numbers are those of OpenAPIv2.proto (package openapi.v2, google/gnostic), as far as our documents go.
"""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.openapi.gnostic_parts import any_value, extensions, flag, message, named, text, texts

ASKED_FOR = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""How it is called in answers: "@" is no character of a media type."""

_SCHEMA_TEXTS = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13}
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}


def document(swagger: Tree) -> bytes:
    """A whole document, as `as_swagger` makes it."""
    info = swagger["info"]
    return b"".join((
        text(1, swagger["swagger"]),
        message(2, text(1, info["title"]) + text(2, info["version"])),
        message(8, named(2, swagger["paths"], _path_item)),
        message(9, named(1, swagger["definitions"], _schema)),
        *(message(12, named(1, one, lambda scopes: texts(1, scopes))) for one in swagger["security"]),
        message(13, named(1, swagger["securityDefinitions"], _api_key)),
    ))  # fmt: skip


def _path_item(item: Tree) -> bytes:
    return b"".join(message(_METHODS[method], _operation(one)) for method, one in item.items() if method in _METHODS)


def _operation(operation: Tree) -> bytes:
    return b"".join((
        text(3, operation.get("description", "")),
        text(5, operation.get("operationId", "")),
        texts(6, operation.get("produces", ())),
        texts(7, operation.get("consumes", ())),
        *(message(8, message(1, _parameter(one))) for one in operation.get("parameters", ())),
        message(9, named(1, operation["responses"], lambda one: message(1, _response(one)))),
        extensions(13, operation),
    ))  # fmt: skip


def _parameter(parameter: Tree) -> bytes:
    if parameter["in"] == "body":
        body = text(2, parameter["name"]) + text(3, "body") + flag(4, parameter.get("required", False))
        return message(1, body + message(5, _schema(parameter["schema"])))
    name, kind = parameter["name"], parameter["type"]
    if parameter["in"] == "path":
        inner = flag(1, True) + text(2, "path") + text(4, name) + text(5, kind) + flag(19, True)
        return message(2, message(4, inner))
    return message(2, message(3, text(2, "query") + text(4, name) + text(6, kind) + flag(20, True)))


def _response(response: Tree) -> bytes:
    schema = message(2, message(1, _schema(response["schema"]))) if "schema" in response else b""
    return text(1, response["description"]) + schema


def _schema(schema: Tree) -> bytes:
    parts = [text(number, schema.get(key, "")) for key, number in _SCHEMA_TEXTS.items()]
    if "default" in schema:
        parts.append(message(5, any_value(schema["default"])))
    parts.append(texts(19, schema.get("required", ())))
    parts += (message(20, any_value(one)) for one in schema.get("enum", ()))
    if (more := schema.get("additionalProperties")) is not None:
        parts.append(message(21, flag(2, more) if isinstance(more, bool) else message(1, _schema(more))))
    if kind := schema.get("type"):
        parts.append(message(22, texts(1, [kind] if isinstance(kind, str) else kind)))
    if items := schema.get("items"):
        parts.append(message(23, message(1, _schema(items))))
    parts += (message(24, _schema(one)) for one in schema.get("allOf", ()))
    if properties := schema.get("properties"):
        parts.append(message(25, named(1, properties, _schema)))
    return b"".join((*parts, extensions(31, schema)))


def _api_key(definition: Tree) -> bytes:
    fields = (text(number, definition[key]) for number, key in enumerate(("type", "name", "in", "description"), 1))
    return message(2, b"".join(fields))

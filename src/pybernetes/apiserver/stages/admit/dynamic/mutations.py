"""What the expressions of mutations come to, as JSON that can be laid over an object or patched into it."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.values import Duration, Optional, Timestamp, TypedObject
from pybernetes.api.patch import check
from pybernetes.api.patch.typed import is_granular
from pybernetes.api.schema import Json, Schema
from pybernetes.api.tree import Tree


def operations_of(value: object) -> list[Tree]:
    """The operations of a JSON patch. Raises EvaluationError."""
    if not isinstance(value, list):
        raise EvaluationError("type mismatch: JSONPatchType.expression should evaluate to array")
    made: list[Tree] = []
    for each in value:
        operation: Tree = {"op": each.get("op", ""), "path": each.get("path", "")}
        if each.get("from"):
            operation["from"] = each["from"]
        if "value" in each:
            _check_names(each["value"])
            operation["value"] = json_of(each["value"])
        made.append(operation)
    return made


def configuration_of(value: object, schema: Schema, api_version: str, kind: str) -> Tree:
    """An apply configuration that fits the schema and sets no part of what is one value. Raises EvaluationError."""
    _check_names(value)
    found = json_of(value)
    if not isinstance(found, dict):
        raise EvaluationError("unsupported return type from ApplyConfiguration expression")
    made = {**found, "apiVersion": api_version, "kind": kind}
    if wrong := check.errors(schema, made):
        raise EvaluationError(f"error applying patch: failed to convert patch object to typed object: {wrong}")
    if atomic := list(_atomic(schema, made, "")):
        words = "may not mutate atomic arrays, maps or structs"
        raise EvaluationError(f"error applying patch: invalid ApplyConfiguration: {words}: {', '.join(atomic)}")
    return made


def json_of(value: object) -> Json:
    """A value of CEL as JSON. Raises EvaluationError for one that has no such form."""
    if isinstance(value, dict):
        return {str(key): json_of(each) for key, each in value.items()}
    if isinstance(value, list):
        return [json_of(each) for each in value]
    if isinstance(value, Optional):
        return json_of(value.value) if value.is_set else None
    if isinstance(value, Timestamp | Duration):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    words = "JSONPath valueExpression evaluated to a type that could not marshal to JSON"
    raise EvaluationError(f"{words}: type conversion error from '{type(value).__name__}' to '*structpb.Value'")


def _check_names(value: object) -> None:
    """Objects must be named by the fields that they are in: `Object.spec{selector: Object.spec.selector{}}`."""
    if isinstance(value, TypedObject) and (wrong := list(_misnamed(value, value.type_name))):
        raise EvaluationError("type mismatch: " + "\n".join(wrong))


def _misnamed(value: object, wanted: str) -> Iterator[str]:
    if isinstance(value, TypedObject):
        if value.type_name != wanted:
            words = "which matches field name path from root Object type"
            yield f'unexpected type name "{value.type_name}", expected "{wanted}", {words}'
        for name, each in value.items():
            yield from _misnamed(each, f"{wanted}.{name}")
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _misnamed(each, wanted)


def _atomic(schema: Schema, value: Json, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        if not is_granular(schema, value):
            yield path
        for name, each in value.items():
            if (child := schema.child(name)) is not None:
                yield from _atomic(child, each, f"{path}.{name}")
    elif isinstance(value, list):
        if not is_granular(schema, value):
            yield path
        for index, each in enumerate(value):
            if schema.items is not None:
                yield from _atomic(schema.items, each, f"{path}[{index}]")

"""Fields of JSONSchemaProps that are a schema or something else: OpenAPI has no type for them, upstream's decoder has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pybernetes.api.decode.errors import DecodeError, Mismatch, json_type
from pybernetes.api.decode.scalars import Convert

DEFINITION: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"


def union_fields(convert_schema: Convert) -> Mapping[str, Convert]:
    """The converters of these fields; `convert_schema` takes a JSONSchemaProps."""

    # Upstream's own unmarshallers are not strict: they note no unknown fields.
    def schema(value: Any) -> Any:
        return convert_schema(value, [])

    def or_array(value: Any, notes: list[str], known: Any = None) -> Any:
        if isinstance(value, list):
            return [schema({} if item is None else item) for item in value]
        return schema(value) if isinstance(value, dict) else None

    def or_bool(value: Any, notes: list[str], known: Any = None) -> Any:
        if isinstance(value, bool):
            return value
        if not isinstance(value, dict):
            raise DecodeError("boolean or JSON schema expected")
        return schema(value)

    def or_strings(value: Any) -> Any:
        if isinstance(value, list):
            return [_string(item) for item in value]
        return schema(value) if isinstance(value, dict) else None

    def dependencies(value: Any, notes: list[str], known: Any = None) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(json_type(value), "v1.JSONSchemaDependencies")
        return {key: or_strings(item) for key, item in value.items()}

    return {
        "items": or_array,
        "additionalItems": or_bool,
        "additionalProperties": or_bool,
        "dependencies": dependencies,
    }


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise Mismatch(json_type(value), "string")
    return value

"""The schema of a definition as messages show it: upstream's internal structure, every field in its order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pybernetes.api.tree import Tree
from pybernetes.api.validation.structures import Structures, shown_struct, structure

_FIELDS: Final = structure(
    "ID=id:s Schema=$schema:s Ref=$ref Description:s Type:s Nullable:b Format:s Title:s Default Maximum "
    "ExclusiveMaximum:b Minimum ExclusiveMinimum:b MaxLength MinLength Pattern:s MaxItems MinItems UniqueItems:b "
    "MultipleOf Enum MaxProperties MinProperties Required Items AllOf OneOf AnyOf Not Properties AdditionalProperties "
    "PatternProperties Dependencies AdditionalItems Definitions ExternalDocs>Docs Example "
    "XPreserveUnknownFields=x-kubernetes-preserve-unknown-fields "
    "XEmbeddedResource=x-kubernetes-embedded-resource:b XIntOrString=x-kubernetes-int-or-string:b "
    "XListMapKeys=x-kubernetes-list-map-keys XListType=x-kubernetes-list-type XMapType=x-kubernetes-map-type "
    "XValidations=x-kubernetes-validations>Rule"
)
_PARTS: Final[Structures] = {
    "Docs": structure("Description:s URL=url:s"),
    "Rule": structure("Rule:s Message:s MessageExpression:s Reason FieldPath:s OptionalOldSelf"),
}


def shown_schema(schema: Tree) -> Tree:
    """An `openAPIV3Schema` in the internal form."""
    shown: Tree = {}
    for title, name, zero, below in _FIELDS:
        found = schema.get(name, zero)
        if found is not None and name in _SCHEMAS:
            found = _SCHEMAS[name](found)
        shown[title] = shown_struct(found, below, _PARTS) if below else found
    return shown


def _several(schemas: list[Tree]) -> list[Tree]:
    return [shown_schema(one) for one in schemas]


def _named(schemas: Tree) -> Tree:
    return {name: shown_schema(schemas[name]) for name in sorted(schemas)}


def _or_several(value: Any) -> Tree:
    if isinstance(value, list):
        return {"Schema": None, "JSONSchemas": _several(value)}
    return {"Schema": shown_schema(value), "JSONSchemas": None}


def _or_bool(value: Any) -> Tree:
    if isinstance(value, bool):
        return {"Allows": value, "Schema": None}
    return {"Allows": True, "Schema": shown_schema(value)}


def _or_names(value: Any) -> Tree:
    if isinstance(value, list):
        return {"Schema": None, "Property": value}
    return {"Schema": shown_schema(value), "Property": None}


def _dependencies(value: Tree) -> Tree:
    return {name: _or_names(value[name]) for name in sorted(value)}


_SCHEMAS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "items": _or_several, "allOf": _several, "oneOf": _several, "anyOf": _several, "not": shown_schema,
    "properties": _named, "patternProperties": _named, "definitions": _named,
    "additionalProperties": _or_bool, "additionalItems": _or_bool, "dependencies": _dependencies,
}  # fmt: skip

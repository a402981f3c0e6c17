"""What an object may look like: one compiled tree of nodes for built-in kinds and for custom resources.

Built-in kinds come from `facts/schema-1.36.json` (types, list and map semantics, merge keys) and
`facts/presence-1.36.json` (what upstream writes for a field that is absent); a custom resource's structural schema
compiles to the same nodes, so that defaulting, pruning, patching and field ownership have one path.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

LEVEL: Final = "1.36"
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value as JSON decodes it."""

Source: TypeAlias = Mapping[str, Json]
"""An OpenAPI schema object, as facts and CRDs hold it."""

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."


class Kind(enum.Enum):
    """The shape of a node. `ANY` is a value whose inside the schema does not describe."""

    OBJECT = "object"
    MAP = "map"
    LIST = "list"
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    INT_OR_STRING = "int-or-string"
    QUANTITY = "quantity"
    ANY = "any"


class ListType(enum.Enum):
    """How writers share a list (x-kubernetes-list-type)."""

    ATOMIC = "atomic"
    SET = "set"
    MAP = "map"


class Schema(Struct, frozen=True, eq=False):
    """One node. Nodes are shared and may be cyclic (JSONSchemaProps): compare by identity, never walk without a value.

    `properties` belong to an OBJECT; `items` is the element of a LIST or the value of a MAP (None: anything).
    """

    kind: Kind
    format: str = ""
    """int32, int64, double, byte, date-time or micro-time; a custom resource may hold any other."""
    definition: str = ""
    """Name of the built-in definition this node is, such as io.k8s.api.core.v1.Pod."""
    properties: Mapping[str, Schema] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    items: Schema | None = None
    list_type: ListType = ListType.ATOMIC
    list_keys: tuple[str, ...] = ()
    """Names of the fields that tell elements of a `ListType.MAP` list apart."""
    key_defaults: Mapping[str, Json] = field(default_factory=dict)
    """What an absent list key stands for, as `protocol: TCP` of a port."""
    atomic: bool = False
    """An OBJECT, MAP or ANY that has one owner as a whole (x-kubernetes-map-type: atomic)."""
    patch_strategy: frozenset[str] = frozenset()
    """Of strategic merge: any of merge, replace, retainKeys."""
    patch_merge_key: str = ""
    preserve_unknown: bool = False
    """Fields that `properties` does not name are kept (x-kubernetes-preserve-unknown-fields)."""
    embedded: bool = False
    """A whole API object inside another (x-kubernetes-embedded-resource)."""
    zeros: Mapping[str, Json] = field(default_factory=dict)
    """Of a built-in OBJECT: field -> what upstream's answers hold where it is absent ({}, "", 0, False or None)."""
    source: Source = field(default_factory=dict)
    """The schema this node was made from, for what the node does not compile (default, enum, bounds, CEL rules)."""

    def child(self, name: str) -> Schema | None:
        """The node of a field of this object or map; None if the schema declares no such field."""
        found = self.properties.get(name)
        if found is not None:
            return found
        if self.kind is Kind.MAP:
            return self.items or DEDUCED
        if self.preserve_unknown or self.kind is Kind.ANY:
            return DEDUCED
        return None


OPAQUE: Final = Schema(Kind.ANY, atomic=True)
"""A value that is owned and replaced as a whole, such as a RawExtension."""

DEDUCED: Final = Schema(Kind.ANY, preserve_unknown=True)
"""A value without a schema: its objects are granular, its lists atomic."""

_SCALARS: Final = {
    "string": Kind.STRING,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
}

_SPECIAL: Final = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": Schema(Kind.QUANTITY),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": Schema(Kind.INT_OR_STRING),
    _META + "MicroTime": Schema(Kind.STRING, format="micro-time"),
    _META + "FieldsV1": OPAQUE,
    _META + "Patch": OPAQUE,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": OPAQUE,
}


class Presence(msgspec.Struct, frozen=True):
    """What upstream's Go types say about a definition's fields beyond OpenAPI (facts/presence-1.36.json)."""

    zeros: dict[str, Any] = {}
    pointers: frozenset[str] = frozenset()
    inline: dict[str, str] = {}
    defaults: dict[str, Any] = {}
    protobuf: dict[str, str] = {}
    types: dict[str, str] = {}
    """Field -> its Go type, where that is no struct and has a name of its own."""
    embedded: dict[str, str] = {}
    """Field -> the Go type that it is embedded with."""


@cache
def presence() -> dict[str, Presence]:
    """definition -> `Presence`, of every definition that has anything to tell."""
    path = resources.files("pybernetes.api").joinpath(f"facts/presence-{LEVEL}.json")
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Presence])


@cache
def _facts() -> dict[str, dict[str, Json]]:
    path = resources.files("pybernetes.api").joinpath(f"facts/schema-{LEVEL}.json")
    found: dict[str, dict[str, Json]] = msgspec.json.decode(path.read_bytes())
    return found


@cache
def _definitions_by_kind() -> dict[tuple[str, str], str]:
    found = {}
    for name, source in _facts().items():
        for entry in _dicts(source.get("x-kubernetes-group-version-kind")):
            version = f"{entry['group']}/{entry['version']}".lstrip("/")
            found[version, str(entry["kind"])] = name
    return found


_compiled: dict[str, Schema] = dict(_SPECIAL)


def schema_for(definition: str) -> Schema:
    """The node of a built-in definition such as `io.k8s.api.core.v1.Pod`; KeyError if there is none."""
    found = _compiled.get(definition)
    return found if found is not None else _compile_definition(definition)


def schema_of(api_version: str, kind: str) -> Schema:
    """The node of a built-in kind, such as ("apps/v1", "Deployment"); KeyError if there is none."""
    return schema_for(_definitions_by_kind()[api_version, kind])


def custom_resource_schema(source: Source) -> Schema:
    """The node of a custom resource out of its structural `openAPIV3Schema`, with apiVersion, kind and metadata added.

    An empty schema with x-kubernetes-preserve-unknown-fields gives a tree in which everything below is `DEDUCED`.
    """
    return _as_resource(_compile({"type": "object", **source}))


def _compile_definition(name: str) -> Schema:
    source = _facts()[name]
    if source.get("type") != "object":
        node = _compile(source) if source.get("type") else OPAQUE
        _compiled[name] = node
        return node
    told = presence().get(name) or Presence()
    properties: dict[str, Schema] = {}
    node = Schema(
        Kind.OBJECT,
        definition=name,
        properties=properties,
        required=frozenset(_strings(source.get("required"))),
        atomic=source.get("x-kubernetes-map-type") == "atomic",
        zeros=told.zeros,
        source=source,
    )
    _compiled[name] = node  # before its fields: definitions may refer to themselves
    for field_name, field_source in _dict(source.get("properties")).items():
        properties[field_name] = _compile(_dict(field_source))
    return node


def _compile(source: Source) -> Schema:
    reference = source.get("$ref")
    if isinstance(reference, str):
        return _referred(schema_for(reference), source)
    if source.get("x-kubernetes-int-or-string"):
        return Schema(Kind.INT_OR_STRING, source=source)
    kind = source.get("type")
    if isinstance(kind, str) and kind in _SCALARS:
        return Schema(_SCALARS[kind], format=str(source.get("format") or ""), source=source)
    if kind == "array":
        return _compile_list(source)
    if kind == "object":
        return _compile_object(source)
    return replace(DEDUCED, source=source)


def _referred(target: Schema, source: Source) -> Schema:
    """A definition as a field refers to it: the field may add patch and map semantics of its own."""
    strategy, atomic = _strategy(source), source.get("x-kubernetes-map-type")
    if not strategy and atomic is None:
        return target
    return replace(target, patch_strategy=strategy, atomic=target.atomic if atomic is None else atomic == "atomic")


def _compile_list(source: Source) -> Schema:
    items = _compile(_dict(source["items"])) if "items" in source else None
    keys = tuple(_strings(source.get("x-kubernetes-list-map-keys")))
    return Schema(
        Kind.LIST,
        items=items,
        list_type=ListType(source.get("x-kubernetes-list-type") or "atomic"),
        list_keys=keys,
        key_defaults=_key_defaults(items, keys) if items is not None else {},
        patch_strategy=_strategy(source),
        patch_merge_key=str(source.get("x-kubernetes-patch-merge-key") or ""),
        source=source,
    )


def _key_defaults(items: Schema, keys: tuple[str, ...]) -> Mapping[str, Json]:
    """A key's schema default; for a built-in type the zero value that its required scalars default to."""
    told = presence().get(items.definition)
    found: dict[str, Json] = {}
    for key in keys:
        if told is not None and key in told.defaults:
            found[key] = told.defaults[key]
        elif key in items.zeros:
            found[key] = items.zeros[key]
        elif key in items.properties and "default" in items.properties[key].source:
            found[key] = items.properties[key].source["default"]
    return found


def _compile_object(source: Source) -> Schema:
    values = source.get("additionalProperties")
    common = Schema(
        Kind.OBJECT,
        required=frozenset(_strings(source.get("required"))),
        atomic=source.get("x-kubernetes-map-type") == "atomic",
        patch_strategy=_strategy(source),
        preserve_unknown=bool(source.get("x-kubernetes-preserve-unknown-fields")),
        embedded=bool(source.get("x-kubernetes-embedded-resource")),
        source=source,
    )
    if values is not None and values is not False:
        return replace(common, kind=Kind.MAP, items=_compile(values) if isinstance(values, dict) else None)
    properties = {name: _compile(_dict(value)) for name, value in _dict(source.get("properties")).items()}
    node = replace(common, properties=properties)
    return _as_resource(node) if node.embedded else node


def _as_resource(node: Schema) -> Schema:
    """The node with the fields that every API object has."""
    text = Schema(Kind.STRING)
    own = {"apiVersion": text, "kind": text, "metadata": schema_for(_META + "ObjectMeta")}
    return replace(node, properties={**node.properties, **own})


def _strategy(source: Source) -> frozenset[str]:
    told = source.get("x-kubernetes-patch-strategy")
    return frozenset(told.split(",")) if isinstance(told, str) else frozenset()


def _dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Json) -> list[dict[str, Json]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _strings(value: Json) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []

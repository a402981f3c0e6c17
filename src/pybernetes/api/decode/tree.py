"""Trees of built-in kinds: each definition compiles once to a converter, on its first use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec import Struct

from pybernetes.aio.turns import give_way
from pybernetes.api.decode.errors import DecodeError, Mismatch, go_type, json_type
from pybernetes.api.decode.scalars import Convert, scalar, zero
from pybernetes.api.decode.unions import DEFINITION as JSON_SCHEMA
from pybernetes.api.decode.unions import union_fields
from pybernetes.api.schema import Kind, Presence, Schema, presence, schema_for


class Decoded(Struct, frozen=True):
    """`tree` is the caller's own; `unknown` are the paths of fields that were dropped, in the order of the input."""

    tree: dict[str, Any]
    unknown: list[str]
    has_empty: bool = False
    """Some list is there and empty of which the store keeps nothing (see `emptied`)."""


def decode(schema: Schema, tree: object, known: object = None) -> Decoded:
    """The object as upstream's types hold it; DecodeError when a value does not fit its field's type.

    Fields without a value are dropped or, where upstream always writes them, set to their zero value; unknown ones
    are dropped; quantities, times and bytes become canonical. `tree` is not changed. Only for built-in definitions.
    Of `known`, an object that was decoded before, `tree` may have parts (the very same objects): these are taken over.
    """
    notes: list[str] = []
    try:
        converted = _converter(schema)(tree, notes, known)
    except Mismatch as mismatch:
        raise DecodeError(mismatch.message()) from None
    unknown: list[str] = []
    if notes:
        _find_unknown(schema, tree, "", unknown)
    return Decoded(converted, unknown, _EMPTY in notes)


def zero_value(schema: Schema) -> Any:
    """What upstream writes for a field of this type that has no value and is always written; the caller's own."""
    if schema.kind is Kind.OBJECT:
        return _converter(schema)({}, [])
    return zero(schema)


_FIELDLESS: Final = frozenset((
    "io.k8s.api.apiserverinternal.v1alpha1.StorageVersionSpec",
    "io.k8s.api.scheduling.v1alpha2.BasicSchedulingPolicy",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus",
))  # fmt: skip
"""Structs of no fields, whereas other objects without declared fields hold anything."""
_NOTHING: dict[str, Any] = {}
_EMPTY: Final = "[]"
"""Noted where a list is empty; no field is called so."""
_KEPT_EMPTY = {("io.k8s.api.autoscaling.v2.HPAScalingRules", "policies")}
"""Lists that say something else where they are empty than where they are not there."""
_compiled: dict[int, tuple[Schema, Convert]] = {}


def _converter(node: Schema) -> Convert:
    """Nodes are compared by identity; the table keeps them alive, so that an identity is never used again."""
    found = _compiled.get(id(node))
    if found is not None:
        return found[1]
    if node.kind is Kind.OBJECT and node.definition and schema_for(node.definition) is not node:
        # The same definition with a field's own patch semantics: types do not differ.
        convert = _converter(schema_for(node.definition))
    elif node.kind is Kind.OBJECT and node.properties:
        convert = _struct(node)
    elif node.kind is Kind.LIST:
        convert = _list(node)
    elif node.kind is Kind.MAP:
        convert = _map(node)
    elif node.kind is Kind.OBJECT:
        convert = _empty_struct(node)
    else:
        convert = scalar(node)
    _compiled[id(node)] = (node, convert)
    return convert


def _lazy(node: Schema) -> Convert:
    """Compiles on first use: definitions may contain themselves."""
    if node.kind not in (Kind.OBJECT, Kind.LIST, Kind.MAP):
        return _converter(node)
    compiled: Convert | None = None

    def convert(value: Any, notes: list[str], known: Any = None) -> Any:
        nonlocal compiled
        if compiled is None:
            compiled = _converter(node)
        return compiled(value, notes, known)

    return convert


def _as_it_is(node: Schema) -> type | None:
    """The class of values that need no look: most fields are plain texts."""
    if node.kind is Kind.STRING and not node.format:
        return str
    return bool if node.kind is Kind.BOOLEAN else None


def _struct(node: Schema) -> Convert:
    told = presence().get(node.definition) or Presence()
    pointers, named, embedded = told.pointers, told.types, told.embedded
    # Raw values know themselves whether they are there.
    fields = {
        name: (
            _lazy(child),
            name in pointers or child.kind is Kind.ANY or (node.definition, name) in _KEPT_EMPTY,
            _as_it_is(child),
            list if child.kind is Kind.LIST and child.items is not None and child.items.kind is Kind.OBJECT else None,
        )
        for name, child in node.properties.items()
    }
    if node.definition == JSON_SCHEMA:
        fields |= {name: (convert, True, None, None) for name, convert in union_fields(_lazy(node)).items()}
    always = frozenset(node.zeros)
    zeros = [(name, _zero_maker(node.properties[name], value)) for name, value in node.zeros.items()]
    struct = node.definition.rpartition(".")[2]
    wanted = go_type(node)

    def convert(value: Any, notes: list[str], known: Any = None) -> Any:
        if value.__class__ is not dict:
            raise Mismatch(json_type(value), wanted)
        give_way()
        before = known if known.__class__ is dict else _NOTHING
        wrong: Mismatch | None = None
        out: dict[str, Any] = {}
        for name, item in value.items():
            field = fields.get(name)
            if field is None:
                notes.append(name)
                continue
            if item is None:
                continue
            if item.__class__ is field[2]:
                if item or field[1]:
                    out[name] = item
                continue
            stood = before.get(name)
            if item is stood:
                out[name] = item
                continue
            try:
                item = field[0](item, notes, stood)
            except Mismatch as mismatch:
                # Elements that are structs have a name of their own.
                if name in named and not mismatch.fields and item.__class__ is not field[3]:
                    mismatch.name_type(named[name])
                mismatch.passes(struct, f"{embedded[name]}.{name}" if name in embedded else name)
                if mismatch.final:
                    raise
                wrong = wrong or mismatch
                continue
            if item:
                out[name] = item
            elif item is not None and (field[1] or name in always):
                out[name] = item
                if item == [] and not field[1]:
                    notes.append(_EMPTY)
        if wrong is not None:
            raise wrong
        for name, make in zeros:
            if name not in out:
                out[name] = make()
        return out

    return convert


def _zero_maker(node: Schema, told: Any) -> Callable[[], Any]:
    """What is written for an absent field: structs may have such fields of their own."""
    if node.kind is Kind.OBJECT and told == {}:
        return lambda: zero_value(node)
    return (dict) if told == {} else (lambda: told)


def _empty_struct(node: Schema) -> Convert:
    """An object without declared fields: kept as it is."""
    wanted = go_type(node) if node.definition else "map[string]interface {}"

    def convert(value: Any, notes: list[str], known: Any = None) -> Any:
        if value.__class__ is not dict:
            raise Mismatch(json_type(value), wanted)
        if node.definition in _FIELDLESS:
            notes += value
            return {}
        return dict(value)

    return convert


def _list(node: Schema) -> Convert:
    item_node = node.items
    if item_node is None:
        return lambda value, notes, known=None: value
    convert_item = _lazy(item_node)
    wanted = go_type(node)

    def convert(value: Any, notes: list[str], known: Any = None) -> Any:
        if value.__class__ is not list:
            raise Mismatch(json_type(value), wanted)
        try:
            if known.__class__ is list:
                stood = {id(item) for item in known}
                return [
                    item if id(item) in stood else zero_value(item_node) if item is None else convert_item(item, notes)
                    for item in value
                ]
            return [zero_value(item_node) if item is None else convert_item(item, notes) for item in value]
        except Mismatch as mismatch:
            raise _told_of(mismatch, value, convert_item) from None

    return convert


def _map(node: Schema) -> Convert:
    item_node = node.items
    if item_node is None:
        return lambda value, notes, known=None: dict(value)
    convert_item = _lazy(item_node)
    wanted = go_type(node)

    def convert(value: Any, notes: list[str], known: Any = None) -> Any:
        if value.__class__ is not dict:
            raise Mismatch(json_type(value), wanted)
        try:
            return {
                key: zero_value(item_node) if item is None else convert_item(item, notes) for key, item in value.items()
            }
        except Mismatch as mismatch:
            raise _told_of(mismatch, value.values(), convert_item) from None

    return convert


def _told_of(first: Mismatch, items: Iterable[Any], convert: Convert) -> Mismatch:
    """The one among several elements of a wrong type that is told: the first that is final, else the first."""
    for item in () if first.final else items:
        try:
            if item is not None:
                convert(item, [])
        except Mismatch as mismatch:
            if mismatch.final:
                return mismatch
    return first


def _find_unknown(node: Schema, value: Any, path: str, found: list[str]) -> None:
    """The paths that the converters only counted; a second walk, since nearly all objects have none."""
    if isinstance(value, dict) and node.kind is Kind.MAP and node.items is not None:
        for key, item in value.items():
            _find_unknown(node.items, item, f"{path}.{key}" if path else key, found)
    elif isinstance(value, dict) and (node.properties or node.definition in _FIELDLESS):
        for name, item in value.items():
            below = f"{path}.{name}" if path else name
            child = node.properties.get(name)
            if child is None:
                found.append(below)
            else:
                _find_unknown(child, item, below, found)
    elif isinstance(value, list) and node.kind is Kind.LIST and node.items is not None:
        for index, item in enumerate(value):
            _find_unknown(node.items, item, f"{path}[{index}]", found)

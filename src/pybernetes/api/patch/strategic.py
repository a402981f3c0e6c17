"""Strategic merge patch: lists of objects are merged by the merge key that their field declares.

Directives inside a patch, all understood here:
`$patch: replace|delete` of a map or a list element, `$retainKeys` (all other fields of the map go),
`$deleteFromPrimitiveList/<field>` (values to take out), `$setElementOrder/<field>` (the order of the merged list).
Elements that only the object has keep their place relative to those the patch names; new ones come first, unless
an order is given.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from pybernetes.api import errors
from pybernetes.api.patch import go_text, strategic_order
from pybernetes.api.patch.depth import CONTAINERS, refuses_depth
from pybernetes.api.schema import DEDUCED, OPAQUE, Json, Kind, Schema

Map: TypeAlias = "dict[str, Json]"

DIRECTIVE: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
DELETE_PREFIX: Final = "$deleteFromPrimitiveList/"
ORDER_PREFIX: Final = "$setElementOrder/"

Strategy: TypeAlias = Literal["", "merge", "replace"]


@refuses_depth
def strategic_patch(schema: Schema, document: Map, patch: Json) -> Map:
    """The document with the patch merged into it; neither argument is changed.

    Raises `StatusError` for a patch that is malformed or does not fit (400, 422 and 500 as upstream has it).
    """
    if patch is None:
        return document
    if not isinstance(patch, dict):
        kind = {"list": "array", "str": "string", "bool": "bool"}.get(type(patch).__name__, "number")
        raise errors.bad_request(f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
    return _merge_map(schema, document, patch)


def spent(patch: Json) -> Json:
    """A patch as upstream leaves it behind, which errors show: directives that have been carried out are gone."""
    if isinstance(patch, list):
        return [spent(item) for item in patch]
    if not isinstance(patch, dict):
        return patch
    done = {RETAIN_KEYS}
    if patch.get(DIRECTIVE) == "replace":
        done.add(DIRECTIVE)
    for name in patch:
        if name.startswith(ORDER_PREFIX):
            done |= {name, name.removeprefix(ORDER_PREFIX)}
    return {name: spent(held) for name, held in patch.items() if name not in done}


def _merge_map(schema: Schema, original: Map, patch: Map) -> Map:
    if DIRECTIVE in patch:
        return _replaced(patch)
    out, rest = _retained(original, dict(patch)), dict(patch)
    rest.pop(RETAIN_KEYS, None)
    for name in [name for name in patch if name.startswith(ORDER_PREFIX)]:
        field = name.removeprefix(ORDER_PREFIX)
        _apply_order(schema, out, rest, field, rest.pop(name))
    for name, value in rest.items():
        if name.startswith(DELETE_PREFIX):
            _delete_values(schema, out, name.removeprefix(DELETE_PREFIX), value)
        elif value is None:
            out.pop(name, None)
        else:
            _merge_field(schema, out, name, value)
    return out


def _replaced(patch: Map) -> Map:
    directive = patch[DIRECTIVE]
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != DIRECTIVE}
    if directive == "delete":
        return {}
    raise _bad_directive(directive, patch)


def _bad_directive(directive: Json, patch: Map) -> errors.StatusError:
    told = directive if isinstance(directive, str) else go_text.misprinted(directive)
    return errors.unexpected(f"unknown patch type: {told} in map: {go_text.plain(patch)}")


def _retained(original: Map, patch: Map) -> Map:
    """The original, cut down to `$retainKeys` where the patch has it."""
    if RETAIN_KEYS not in patch:
        return dict(original)
    keys = patch[RETAIN_KEYS]
    stated = [n for n, v in patch.items() if v is not None and not n.startswith((DELETE_PREFIX, ORDER_PREFIX))]
    if not isinstance(keys, list) or any(name not in keys for name in stated if name != RETAIN_KEYS):
        raise errors.bad_request("invalid patch format of retainKeys")
    return {name: value for name, value in original.items() if name in keys}


def _merge_field(schema: Schema, out: Map, name: str, value: Json) -> None:
    had = out.get(name)
    if isinstance(had, dict) and isinstance(value, dict):
        field = _field(schema, name)
        out[name] = value if _strategy(field) == "replace" else _merge_map(field, had, value)
    elif isinstance(had, list) and isinstance(value, list):
        field = _field(schema, name)
        out[name] = _merge_list(field, had, value) if _strategy(field) == "merge" else value
    else:
        kept = _without_directives(_dense(value)) if _speaks(value) else value
        if kept is _DROPPED:
            out.pop(name, None)
        else:
            out[name] = kept


def _field(schema: Schema, name: str) -> Schema:
    child = None if schema is OPAQUE else schema.child(name)
    if child is None:
        where = schema.definition.rsplit(".", 1)[-1] or "RawExtension"
        raise errors.unexpected(f'unable to find api field in struct {where} for the json field "{name}"')
    return child


def _strategy(field: Schema) -> Strategy:
    if "replace" in field.patch_strategy:
        return "replace"
    return "merge" if "merge" in field.patch_strategy else ""


_DROPPED: Final[Map] = {}
"""Stands for a value that was nothing but a directive; compared by identity."""


def _speaks(value: Json) -> bool:
    """Whether there are directives or removals in a value, and not just what is to be set."""
    if isinstance(value, dict):
        for name, held in value.items():
            if held is None or name == DIRECTIVE or (held.__class__ in CONTAINERS and _speaks(held)):
                return True
        return False
    return isinstance(value, list) and any(item.__class__ in CONTAINERS and _speaks(item) for item in value)


def _without_directives(value: Json) -> Json:
    """A value that has nothing to be merged with: maps that carry `$patch` go, whatever else they hold."""
    if isinstance(value, dict):
        if DIRECTIVE in value:
            return _DROPPED
        cleaned = {name: _without_directives(held) for name, held in value.items()}
        return {name: held for name, held in cleaned.items() if held is not _DROPPED}
    if isinstance(value, list):
        return [kept for item in value if (kept := _without_directives(item)) is not _DROPPED]
    return value


def _dense(value: Json) -> Json:
    """Without null fields, which mean a removal."""
    if isinstance(value, dict):
        return {name: _dense(held) for name, held in value.items() if held is not None}
    return [_dense(item) for item in value] if isinstance(value, list) else value


# -- lists


def _merge_list(field: Schema, original: list[Json], patch: list[Json]) -> list[Json]:
    if not original and not patch:
        return original
    strategic_order.check_elements(original, patch)
    key = field.patch_merge_key
    if not isinstance((original or patch)[0], dict):
        distinct = {strategic_order.token(item): item for item in (*original, *patch)}
        return strategic_order.arranged(list(distinct.values()), patch, original, "")
    if not key:
        name = (field.items or DEDUCED).definition.rsplit(".", 1)[-1]
        raise errors.unexpected(f"cannot merge lists without merge key for {name}")
    original, patch = _special_elements(original, patch, key)
    return strategic_order.arranged(_merge_elements(field, original, patch, key), patch, original, key)


def _special_elements(original: list[Json], patch: list[Json], key: str) -> tuple[list[Json], list[Json]]:
    """Carry out the elements that are directives; the rest of the patch, or all there is after a replace, remains."""
    plain: list[Json] = []
    deleted: set[str] = set()
    replace = False
    for element in strategic_order.maps(patch):
        directive = element.get(DIRECTIVE)
        if DIRECTIVE not in element:
            plain.append(element)
        elif directive == "delete":
            deleted.add(strategic_order.token(strategic_order.key_of(element, key)))
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise errors.unexpected("merging lists cannot yet be specified in the patch")
        else:
            raise _bad_directive(directive, element)
    if replace:
        return plain, []
    return [e for e in original if strategic_order.identity(e, key) not in deleted], plain


def _merge_elements(field: Schema, original: list[Json], patch: list[Json], key: str) -> list[Json]:
    merged = list(original)
    places = strategic_order.places(merged, key)
    for element in strategic_order.maps(patch):
        place = places.setdefault(strategic_order.token(strategic_order.key_of(element, key)), len(merged))
        if place == len(merged):
            merged.append(element)
            continue
        had = merged[place]
        merged[place] = _merge_map(field.items or DEDUCED, had, element) if isinstance(had, dict) else element
    return merged


def _delete_values(schema: Schema, out: Map, name: str, values: Json) -> None:
    had = out.get(name)
    if not isinstance(had, list) or not isinstance(values, list):
        return
    if not had and not values:
        return
    strategic_order.check_elements(had, values)
    if isinstance((had or values)[0], dict):  # what is no scalar is merged, as if it stood in the list itself
        out[name] = _merge_list(_field(schema, name), had, values)
        return
    gone = {strategic_order.token(value) for value in values}
    left = [item for item in had if strategic_order.token(item) not in gone]
    out[name] = strategic_order.arranged(left, values, had, "")


def _apply_order(schema: Schema, out: Map, rest: Map, name: str, order: Json) -> None:
    """Merge the list that `$setElementOrder/<name>` speaks of, and put it in this order."""
    if not isinstance(order, list):
        raise errors.unexpected(f"expected a []interface {{}}, but received a {go_text.kind(order)}")
    had, patch = out.get(name), rest.get(name)
    for value in (had, patch):
        if value is not None and not isinstance(value, list):
            raise errors.unexpected(f"expected a []interface {{}}, but received a {go_text.kind(value)}")
    field = _field(schema, name)
    key = field.patch_merge_key if field.kind is Kind.LIST else ""
    if isinstance(patch, list):
        strategic_order.check_order(patch, order, key)
    if not isinstance(had, list) and not isinstance(patch, list):
        return
    if not isinstance(patch, list):
        merged = had if isinstance(had, list) else []
    elif isinstance(had, list):
        merged = _merge_list(field, had, patch) if _strategy(field) == "merge" else patch
    else:
        kept = _without_directives(patch)
        merged = kept if isinstance(kept, list) else []
    before = had if isinstance(had, list) else []
    if key and isinstance(patch, list):
        before = strategic_order.refilled(before, patch, key)
    out[name] = strategic_order.arranged(merged, order, before, key)
    rest.pop(name, None)

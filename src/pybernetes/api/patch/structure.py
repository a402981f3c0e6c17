"""The two changes that server-side apply makes to an object: lay a configuration over it, and take fields out of it."""

from __future__ import annotations

from pybernetes.api.patch.fields import FieldSet, is_member
from pybernetes.api.patch.typed import ABSENT, ElementError, Value, element_of, is_granular
from pybernetes.api.schema import Json, Kind, Schema


def merge(schema: Schema, live: Json, config: Json) -> Json:
    """`live` with all that `config` states; lists take the configuration's order of the elements both have."""
    if live == config or not is_granular(schema, live) or not is_granular(schema, config):
        return config
    if not config:
        return live if live else config
    if not live:
        return config
    if isinstance(live, dict) and isinstance(config, dict):
        return _merge_maps(schema, live, config)
    if isinstance(live, list) and isinstance(config, list):
        return _merge_lists(schema, live, config)
    return config


def _merge_maps(schema: Schema, live: dict[str, Json], config: dict[str, Json]) -> dict[str, Json]:
    out = dict(live)
    for name, stated in config.items():
        child = schema.child(name)
        out[name] = merge(child, live[name], stated) if name in live and child is not None else stated
    return out


def _merge_lists(schema: Schema, live: list[Json], config: list[Json]) -> list[Json]:
    """Elements that only the live list has stay before the ones they stood before; the rest is in the config's order."""
    had: dict[str, Json] = {}
    duplicated: set[str] = set()
    for element, item in _indexed(schema, live):
        if element in had:
            duplicated.add(element)
        had.setdefault(element, item)
    stated = dict(_indexed(schema, config))
    waiting = [element for element in stated if element in had]  # shared ones, next last
    waiting.reverse()
    rest = iter(stated.items())
    out: list[Json] = []

    def take(element: str, item: Json) -> None:
        known = element in had and element not in duplicated and schema.items is not None
        out.append(merge(schema.items, had[element], item) if known and schema.items is not None else item)

    for element, item in _indexed(schema, live):
        if element not in stated:
            out.append(item)
        elif waiting and element == waiting[-1]:
            waiting.pop()
            for other, other_item in rest:
                take(other, other_item)
                if other == element:
                    break
    for other, other_item in rest:
        take(other, other_item)
    return out


def _indexed(schema: Schema, items: list[Json]) -> list[tuple[str, Json]]:
    """Elements with their path elements; one without keys is told apart by its place only."""
    out: list[tuple[str, Json]] = []
    for index, item in enumerate(items):
        try:
            out.append((element_of(schema, item), item))
        except ElementError:
            out.append((f"i:{index}", item))
    return out


def remove(schema: Schema, value: Json, fields: FieldSet) -> Json:
    """`value` without the members of the set. A list or map that loses all it had becomes null, as upstream's does."""
    if not value or not fields or not is_granular(schema, value):
        return value
    if isinstance(value, dict):
        kept: dict[str, Json] = {}
        for name, held in value.items():
            rest = _rest(schema.child(name), held, fields.get("f:" + name))
            if rest is not ABSENT:
                kept[name] = rest
        return kept or None
    if isinstance(value, list) and schema.kind is Kind.LIST:
        left: list[Json] = []
        for element, item in _indexed(schema, value):
            rest = _rest(schema.items, item, fields.get(element))
            if rest is not ABSENT:
                left.append(rest)
        return left or None
    return value


def _rest(schema: Schema | None, value: Json, node: FieldSet | None) -> Value:
    if node is None:
        return value
    if is_member(node):
        return ABSENT
    return remove(schema, value, node) if schema is not None else value

"""The order of a list after a strategic merge, and the tests of what can be ordered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from pybernetes.api import errors
from pybernetes.api.patch import go_text
from pybernetes.api.schema import Json

Map: TypeAlias = "dict[str, Json]"


def check_elements(*lists: Sequence[Json]) -> None:
    """All elements are maps, or all are scalars of one type; lists of lists cannot be merged."""
    first: Json = None
    for element in (element for elements in lists for element in elements):
        if isinstance(element, list):
            raise errors.StatusError(
                422, "Invalid", "the server rejected our request due to an error in our request", {}
            )
        if first is None:
            first = element
        elif type(first) is not type(element):
            dump = go_text.plain([list(elements) for elements in lists])
            raise errors.unexpected(f"list element types are not identical: {dump}")


def maps(elements: Sequence[Json]) -> list[Map]:
    return [element for element in elements if isinstance(element, dict)]


def key_of(element: Map, key: str) -> Json:
    """The merge key's value; raises `StatusError` if the element has none."""
    if key not in element:
        raise errors.unexpected(f"map: {go_text.plain(element)} does not contain declared merge key: {key}")
    return element[key]


def token(value: Json) -> str:
    """What a value is compared by: as its JSON, in which 1 is neither "1" nor true."""
    if isinstance(value, str):  # nearly always; no other value's JSON begins like it
        return f'"{value}'
    return msgspec.json.encode(value, order="sorted").decode()


def identity(element: Json, key: str) -> str:
    """What tells an element of a list from the others: its merge key, or itself in a list that has none."""
    if not key:
        return token(element)
    return token(element[key]) if isinstance(element, dict) and key in element else ""


def places(elements: Sequence[Json], key: str) -> dict[str, int]:
    """Where each element comes first."""
    found: dict[str, int] = {}
    for place, element in enumerate(elements):
        found.setdefault(identity(element, key), place)
    return found


def refilled(had: Sequence[Json], patch: Sequence[Json], key: str) -> list[Json]:
    """The list that elements "stood" in before: where the patch deletes some, its first new ones took their places.

    Upstream's merge reuses the array like this, and what `kubectl apply` makes of a list depends on it.
    """
    deleted = {identity(e, key) for e in maps(patch) if e.get("$patch") == "delete"}
    left = [element for element in had if identity(element, key) not in deleted]
    known = places(left, key)
    new = [e for e in maps(patch) if "$patch" not in e and identity(e, key) not in known]
    return left + new[: len(had) - len(left)]


def arranged(merged: Sequence[Json], order: Sequence[Json], had: Sequence[Json], key: str) -> list[Json]:
    """Elements that `order` names in its order; others in the order they had, before those that they stood before."""
    if key:
        for element in (*merged, *order):
            key_of(element if isinstance(element, dict) else {}, key)
    wanted, before = places(order, key), places(had, key)
    named: list[tuple[int, int, Json]] = []
    others: list[tuple[int, Json]] = []
    for element in merged:
        own = identity(element, key)
        if own in wanted:
            named.append((wanted[own], before.get(own, -1), element))
        else:
            others.append((before.get(own, -1), element))
    named.sort(key=lambda entry: entry[0])
    others.sort(key=lambda entry: entry[0])
    others.reverse()  # taken from the end; those that share a key stay as they were
    out: list[Json] = []
    for _, stood, element in named:
        while others and 0 <= others[-1][0] < stood:
            out.append(others.pop()[1])
        out.append(element)
    return out + [element for _, element in reversed(others)]


def check_order(patch: Sequence[Json], order: Sequence[Json], key: str) -> None:
    """The patch's elements, those that are directives aside, come in this order; raises `StatusError` if not."""
    if not patch or not order:
        return
    kept = [e for e in patch if not (isinstance(e, dict) and e.get("$patch") == "delete")] if key else list(patch)
    place = 0
    for wanted in order:
        while place < len(kept) and "$patch" in _fields(kept[place]):
            place += 1
        if place == len(kept):
            return
        place += _is_same(kept[place], wanted, key)
    if place < len(kept):
        raise errors.unexpected(
            f"The order in patch list:\n{go_text.plain(list(patch))}\n"
            f" doesn't match $setElementOrder list:\n{go_text.plain(list(order))}\n"
        )


def _fields(element: Json) -> Map:
    return element if isinstance(element, dict) else {}


def _is_same(element: Json, wanted: Json, key: str) -> bool:
    if not key:
        return token(element) == token(wanted)
    for one in (element, wanted):
        if not isinstance(one, dict):
            raise errors.unexpected(f"expected a map[string]interface {{}}, but received a {go_text.kind(one)}")
    found, other = (key_of(_fields(one), key) for one in (element, wanted))
    return token(found) == token(other)

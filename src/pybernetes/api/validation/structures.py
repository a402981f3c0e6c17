"""Values as messages show them: upstream's own structures, every field in their order, absent ones too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from pybernetes.api.tree import Tree

# Structure -> its fields in order: name, name in JSON, what stands for an absent value, structure of the value.
Structures: TypeAlias = Mapping[str, list[tuple[str, str, Any, str]]]


def structure(text: str) -> list[tuple[str, str, Any, str]]:
    """Read `Name:zero>structure` words; the JSON name is the name in camel case unless `=json` gives it."""
    found: list[tuple[str, str, Any, str]] = []
    for word in text.split():
        head, _, below = word.partition(">")
        head, _, zero = head.partition(":")
        name, _, json_name = head.partition("=")
        found.append((name, json_name or name[0].lower() + name[1:], _ZEROS[zero], below))
    return found


_ZEROS: Final[Mapping[str, Any]] = {"": None, "s": "", "n": 0, "b": False, "o": {}}


def shown_struct(value: Any, name: str, structures: Structures) -> Any:
    """A value, or a list of values, of one of the structures."""
    if isinstance(value, list):
        return [shown_struct(one, name, structures) for one in value]
    if value is None:
        return None
    shown: Tree = {}
    for title, json_name, zero, below in structures[name]:
        found = value.get(json_name, zero)
        if below:
            found = shown_struct(found, below, structures)
        shown[title] = found
    return shown


NODE_SELECTOR: Final[Structures] = {
    "NodeSelector": structure("NodeSelectorTerms>NodeSelectorTerm"),
    "NodeSelectorTerm": structure("MatchExpressions>NodeRequirement MatchFields>NodeRequirement"),
    "NodeRequirement": structure("Key:s Operator:s Values"),
}

"""In which order upstream reads a patched object, and what of a strategic patch its errors show."""

from typing import Any

import pytest

from pybernetes.api.patch.strategic import spent
from pybernetes.api.patch.written import after_merge, after_operations


def order(tree: Any) -> Any:
    """Names in their order, level by level."""
    if isinstance(tree, dict):
        return [(name, order(held)) for name, held in tree.items()]
    return [order(item) for item in tree] if isinstance(tree, list) else tree


def test_a_merge_sorts_what_it_has_been_to() -> None:
    tree = {"z": {"b": 1, "a": 2}, "m": {"y": {"d": 1, "c": 2}, "x": 3}}
    assert order(after_merge(tree, {"m": {"y": None, "x": 3}})) == order(
        {"m": {"x": 3, "y": {"d": 1, "c": 2}}, "z": {"b": 1, "a": 2}}
    )


def test_operations_sort_their_way_and_leave_what_was_sent() -> None:
    tree = {"z": 1, "a": [{"q": 1, "p": 2}, {"d": {"y": 1, "x": 2}, "c": 3}]}
    assert order(after_operations(tree, ["/a/1/d"])) == order(
        {"a": [{"q": 1, "p": 2}, {"c": 3, "d": {"y": 1, "x": 2}}], "z": 1}
    )
    assert order(after_operations({"b~/c": {"y": 1, "x": 2}, "a": 1}, ["/b~0~1c/x"])) == order(
        {"a": 1, "b~/c": {"x": 2, "y": 1}}
    )


@pytest.mark.parametrize(
    ("patch", "left"),
    [
        ({"spec": {"$patch": "replace", "a": 1}}, {"spec": {"a": 1}}),
        ({"$retainKeys": ["a"], "a": {}}, {"a": {}}),
        ({"$setElementOrder/l": [{"name": "a"}], "l": [{"name": "a"}], "b": 1}, {"b": 1}),
        ({"l": [{"$patch": "delete", "name": "a"}]}, {"l": [{"$patch": "delete", "name": "a"}]}),
    ],
)
def test_directives_that_have_been_carried_out_are_not_shown(patch: Any, left: Any) -> None:
    assert spent(patch) == left

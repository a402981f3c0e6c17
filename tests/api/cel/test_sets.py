"""Lists whose order does not count (`x-kubernetes-list-type: set`, `map`)."""

import pytest

from pybernetes.api.cel.environment import Environment
from pybernetes.api.cel.errors import CostError
from pybernetes.api.cel.types import DYN
from pybernetes.api.cel.values import Set

ENVIRONMENT = Environment({"a": DYN, "b": DYN})


@pytest.mark.parametrize(
    ("source", "a", "b", "value"),
    [
        ("a == b", Set([1, "x"]), Set(["x", 1.0]), True),
        ("a == b", Set([{"k": [1, 2]}, {"k": []}]), Set([{"k": []}, {"k": [1, 2]}]), True),
        ("a == b", Set([1]), Set([True]), False),
        ("a == b", Set(["x"]), Set(["x", "y"]), False),
        ("a + b", Set([1, {"k": 1}]), Set([{"k": 1}, 2]), [1, {"k": 1}, 2]),
        ("a + b", [1], [1], [1, 1]),
    ],
)
def test_values(source: str, a: object, b: object, value: object) -> None:
    assert ENVIRONMENT.compile(source).evaluate({"a": a, "b": b}) == value


def test_large_ones_are_compared_once() -> None:
    """Each with each would be 10,000,000,000."""
    numbers = range(100_000)
    assert ENVIRONMENT.compile("a == b").evaluate({"a": Set(numbers), "b": Set(reversed(numbers))})


def test_what_nobody_could_go_through_is_not_made() -> None:
    with pytest.raises(CostError):
        Environment({}).compile("lists.range(9223372036854775807).size()").evaluate({})

"""What rules cost by estimate, against figures of upstream's: without limits in the schema, and with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pybernetes.api.cel.environment import Environment
from pybernetes.api.cel.errors import CostError
from pybernetes.api.cel.rules import compile_rules
from pybernetes.api.cel.schema import type_of_schema
from pybernetes.api.cel.types import DYN
from pybernetes.api.cel.values import Optional

Schema = dict[str, Any]
Make = Callable[[int | None], Schema]
"""A schema, given the limit of what it holds."""

PAIR: Schema = {
    "type": "object", "required": ["required"],
    "properties": {"required": {"type": "string"}, "optional": {"type": "string"}},
}  # fmt: skip
INT_OR_STRING: Schema = {"x-kubernetes-int-or-string": True}


def formatted(name: str) -> Schema:
    return {"type": "string", "format": name}


def typed(name: str) -> Schema:
    return {"type": name}


def limited(schema: Schema, keyword: str, limit: int | None) -> Schema:
    return schema if limit is None else schema | {keyword: limit}


def array(items: Schema) -> Make:
    return lambda limit: limited({"type": "array", "items": items}, "maxItems", limit)


def table(values: Schema) -> Make:
    return lambda limit: limited({"type": "object", "additionalProperties": values}, "maxProperties", limit)


def text(**more: Any) -> Make:
    return lambda limit: limited({"type": "string", **more}, "maxLength", limit)


def words(limit: int | None) -> Schema:
    return table(limited({"type": "string"}, "maxLength", limit))(limit)


def nested(limit: int | None) -> Schema:
    inner = table(limited(PAIR, "maxProperties", limit))(limit)
    return array(inner)(limit)


def nested_below(limit: int | None) -> Schema:
    return array(table(limited(PAIR, "maxProperties", limit))(None))(None)


def texts(limit: int | None) -> Schema:
    return array(limited({"type": "string"}, "maxLength", limit))(limit) | {"x-kubernetes-list-type": "atomic"}


def replaced(limit: int | None) -> Schema:
    parts = {"str": text()(limit), "before": text()(2), "after": text()(4)}
    return {"type": "object", "properties": parts}


def split(limit: int | None) -> Schema:
    return {"type": "object", "properties": {"str": text()(limit), "separator": text()(limit)}}


ALL = "self.all(x, true)"
NUMBERS, STRINGS = array(typed("number")), array(typed("string"))


@pytest.mark.parametrize(
    ("make", "rule", "unlimited", "limit", "cost"),
    [
        (NUMBERS, ALL, 4718591, 10, 32),
        (STRINGS, ALL, 3145727, 20, 62),
        (array(typed("boolean")), ALL, 1887437, 5, 17),
        (array({"type": "array", "items": typed("number")}), ALL, 3145727, 100, 302),
        (array(PAIR), ALL, 555128, 50, 152),
        (table(typed("number")), ALL, 1348169, 10, 32),
        (table(typed("string")), ALL, 1179647, 3, 11),
        (table(typed("boolean")), ALL, 943718, 100, 302),
        (text(), "self.contains('test')", 314574, 10, 5),
        (text(), "self.startsWith('test')", 2, 15, 2),
        (text(), "self.endsWith('test')", 2, 30, 2),
        (text(), 'size(self + "hello") > size("hello")', 314578, 4, 7),
        (NUMBERS, "self[1] == 0.0", 2, 5000, 2),
        (STRINGS, "self[1] == self[1]", 314577, 8, 314577),
        (text(), 'self.matches("x")', 314574, 50, 22),
        (text(), '"".matches("(((((((((())))))))))[0-9]")', 7, 10, 7),
        (text(), 'self.matches("")', 1, 100, 1),
        (words, "self.all(x, x.contains(self[x]))", 2752507, 10, 72),
        (table(typed("number")), 'self["x"] == 0.0', 2, 0, 2),
        (text(), 'self == "x"', 2, 0, 1),
        (text(format="byte"), 'self == b"x"', 2, 0, 1),
        (NUMBERS, "self.all(x, x == 0.0)", 6291454, 3 * 1024 * 2048, 25165826),
        (nested, 'self.all(x, x["y"].required == "z")', 7340027, 10, 72),
        (nested_below, 'self.all(x, x["y"].required == "z")', 7340027, 10, 7340027),
        (array(INT_OR_STRING), ALL, 4718591, 10, 32),
        (array(INT_OR_STRING), "self[0] == 5", 3, 10, 3),
        (array(typed("boolean")), "self[0] == false", 2, 25, 2),
        (array(PAIR), "self[0] == null", 2, 422, 2),
        (array({"type": "array", "items": typed("number")}), "self[0][0] == -1.0", 3, 51, 3),
        (array({"type": "object", "additionalProperties": typed("number")}), "self.all(x, x.y == 25.2)", 6291452, 12, 74),
        (array({"type": "object", "additionalProperties": typed("number")}), "self[0].x > 2.0", 4, 3000, 4),
        (array(formatted("duration")), ALL, 2359295, 5, 17),
        (array(formatted("duration")), "self[0].getHours() == 2", 4, 525, 4),
        (array(formatted("date")), ALL, 725936, 15, 47),
        (array(formatted("date")), "self[2].getDayOfMonth() == 13", 4, 42, 4),
        (array(formatted("date-time")), ALL, 428963, 25, 77),
        (array(formatted("date-time")), "self[2].getMinutes() == 45", 4, 99, 4),
        (table(INT_OR_STRING), ALL, 1348169, 15, 47),
        (table(formatted("duration")), ALL, 1048577, 5, 17),
        (table(formatted("date")), ALL, 524288, 10, 32),
        (table(formatted("date-time")), ALL, 349526, 25, 77),
        (text(), "self.find('[0-9]+') == ''", 629147, 10, 11),
        (texts, "self.join(' ') == 'aa bb'", 329853068905, 10, 43),
        (texts, "self.isSorted() == true", 329854432052, 10, 52),
        (replaced, "self.str.replace(self.before, self.after) == 'does not matter'", 629154, 4, 12),
        (split, "self.str.split(self.separator) == []", 629160, 10, 22),
        (text(), "self.lowerAscii() == 'lower!'", 314575, 10, 6),
        (table(typed("integer")), "oldSelf.size() == self.size()", 5, 10, 5),
        (table(formatted("date-time")), 'self["a"] == self["b"]', 8, 7, 8),
        (table(formatted("duration")), 'self["c"] == self["d"]', 8, 42, 8),
        (text(enum=["A", "B", "C", "LongValue"]), "self.contains('A')", 2, 1000, 401),
        (lambda limit: limited(INT_OR_STRING, "maxLength", limit), "isQuantity(self)", 314574, 20, 9),
        (table(PAIR), ALL, 428963, 20, 62),
        (table({"type": "object", "additionalProperties": typed("number")}), ALL, 1179647, 10, 32),
        (table({"type": "array", "items": typed("number")}), ALL, 1179647, 25, 77),
    ],
)  # fmt: skip
def test_costs_are_upstreams(make: Make, rule: str, unlimited: int, limit: int, cost: int) -> None:
    assert (estimate(make(None), rule), estimate(make(limit), rule)) == (unlimited, cost)


def estimate(schema: Schema, rule: str) -> int:
    self_type = type_of_schema(schema)
    assert self_type is not None
    (compiled,) = compile_rules(schema | {"x-kubernetes-validations": [{"rule": rule}]}, self_type)
    assert compiled.program is not None, compiled.error
    return compiled.program.cost.most


def test_an_optional_is_looked_into_once_at_each_step() -> None:
    program = Environment({"x": DYN}).compile("x[0][0][0][0][0][0]")
    held = Optional([[[[[["seven"]]]]]], True)
    assert program.evaluate({"x": held}, 7) == Optional("seven", True)
    with pytest.raises(CostError):
        program.evaluate({"x": held}, 6)


@pytest.mark.parametrize(
    "expression",
    [
        "lists.range(1000000).map(x, lists.range(1000000)).size()",
        f"[lists.range(1000)]{'.map(x, x + x)' * 40}.size()",
    ],
)
def test_what_would_fill_the_memory_costs_too_much(expression: str) -> None:
    with pytest.raises(CostError):
        Environment({}).compile(expression).evaluate({})


def test_a_list_that_is_made_costs_what_it_holds() -> None:
    program = Environment({"x": DYN}).compile("lists.range(x)")
    assert program.evaluate({"x": 5}, 1 + 5 + 10 + 1) == [0, 1, 2, 3, 4]
    with pytest.raises(CostError):
        program.evaluate({"x": 5}, 16)

"""Whatever a client sends that has the right types is answered with errors, never with an exception."""

import random
from typing import Any

import pytest

from pybernetes.api import decode, scheme
from pybernetes.api.defaults import apply_defaults
from pybernetes.api.schema import Kind, Schema, schema_of
from pybernetes.api.scheme import Resource
from pybernetes.api.validation import validate

TEXTS = (
    "",
    "a",
    "A b",
    "x/y",
    "1",
    "Always",
    "Exists",
    "In",
    "10.0.0.1",
    "::1",
    "10.0.0.0/8",
    "*",
    "*.a",
    "-",
    "50%",
    "True",
)
QUANTITIES = ("0", "-1", "1", "1500m", "1n", "1Gi", "1e3")
ROUNDS = 40


def anything(node: Schema, chance: random.Random, depth: int) -> Any:
    """A random value of a node's type: sparse, and as odd as the type lets it be."""
    if node.kind is Kind.OBJECT:
        share = chance.choice((0.0, 0.15, 0.4)) if depth > 5 else chance.choice((0.15, 0.4, 0.8))
        fields = {name: child for name, child in node.properties.items() if chance.random() < share}
        return {name: anything(child, chance, depth + 1) for name, child in fields.items()} if depth < 12 else {}
    if node.kind is Kind.LIST and node.items is not None:
        return (
            [anything(node.items, chance, depth + 1) for _ in range(chance.choice((0, 1, 1, 2)))] if depth < 12 else []
        )
    if node.kind is Kind.MAP and node.items is not None:
        return {chance.choice(TEXTS): anything(node.items, chance, depth + 1) for _ in range(chance.choice((0, 1, 2)))}
    if node.format in ("date-time", "micro-time"):
        return "2026-01-31T12:00:00.000000Z"
    if node.format == "byte":
        return chance.choice(("", "YQ==", "e30="))
    return chance.choice(SCALARS[node.kind])


SCALARS: dict[Kind, tuple[Any, ...]] = {
    Kind.STRING: TEXTS,
    Kind.INTEGER: (0, -1, 1, 80, 70000),
    Kind.NUMBER: (0, 1.5),
    Kind.BOOLEAN: (True, False),
    Kind.QUANTITY: QUANTITIES,
    Kind.INT_OR_STRING: (0, -1, 1, "", "http", "50%", "150%"),
    Kind.ANY: (1, "a", {}, {"a": 1}, [1]),
}


@pytest.mark.parametrize("resource", scheme.resources(), ids=lambda resource: f"{resource.api_version} {resource.kind}")
def test_any_object(resource: Resource) -> None:
    schema = schema_of(resource.api_version, resource.kind)
    chance = random.Random(resource.kind)
    old: dict[str, Any] | None = None
    for _ in range(ROUNDS):
        tree = decode.decode(schema, anything(schema, chance, 0)).tree
        apply_defaults(resource, tree)
        again = decode.decode(schema, tree)
        assert (again.tree, again.unknown) == (tree, [])
        for errors in (validate(resource, tree), *_changes(resource, tree, old)):
            assert all(str(error) for error in errors)
        old = tree


def _changes(resource: Resource, tree: dict[str, Any], old: dict[str, Any] | None) -> list[Any]:
    if old is None:
        return []
    return [validate(resource, tree, old, subresource) for subresource in ("", *resource.subresources)]

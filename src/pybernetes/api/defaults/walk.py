"""Applies defaults to a tree: a definition's own first, then those of what it contains."""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

from pybernetes.aio.turns import give_way
from pybernetes.api.defaults import (
    admissionregistration,
    amounts,
    autoscaling,
    batch,
    cluster,
    core,
    flowcontrol,
    networking,
    pod,
    resource,
    storage,
    volumes,
    workloads,
)
from pybernetes.api.defaults.table import Default
from pybernetes.api.schema import Kind, Schema, presence, schema_for, schema_of
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree


class _Walk(Protocol):
    def __call__(self, tree: Any, known: Any = None, /) -> None: ...


def apply_defaults(resource: Resource, tree: Tree) -> None:
    """Fill in the defaults of a built-in kind, in place; nothing happens to objects of custom resources.

    The tree has to be one that `decode` made. Safe to repeat.
    """
    try:
        schema = schema_of(resource.api_version, resource.kind)
    except KeyError:
        return
    default_definition(schema, tree)


def default_definition(schema: Schema, tree: Tree, known: Tree | None = None) -> None:
    """The same for any built-in definition, such as the kind of a subresource.

    Parts of `known` that are in `tree` (the very same objects) have their defaults.
    """
    walk = _walk_of(schema.definition)
    if walk is not None:
        walk(tree, known)


@cache
def _table() -> dict[str, Default]:
    """Definition -> what it sets; definition names without the prefix that nearly all share."""
    table: dict[str, Default] = {}
    for module in (
        admissionregistration, amounts, autoscaling, batch, cluster, core, flowcontrol,
        networking, pod, resource, storage, volumes, workloads,
    ):  # fmt: skip
        for name, default in module.DEFAULTS.items():
            table[name if name.startswith("io.k8s.") else f"io.k8s.api.{name}"] = default
    return table


@cache
def _walk_of(definition: str) -> _Walk | None:
    """The walk over a definition's values, None where there is nothing to default."""
    own = [default for default in (_declared(definition), _table().get(definition)) if default is not None]
    below: list[tuple[str, Kind, _Walk]] = []
    if not _is_recursive(definition):
        for name, node in schema_for(definition).properties.items():
            target = node.items if node.kind in (Kind.LIST, Kind.MAP) and node.items is not None else node
            walk = _walk_of(target.definition) if target.definition else None
            if walk is not None:
                below.append((name, node.kind, walk))
    if not own and not below:
        return None

    def visit(tree: Any, known: Any = None) -> None:
        give_way()
        for default in own:
            default(tree)
        for name, kind, walk in below:
            value = tree.get(name)
            if not value and value != {}:
                continue
            stood = known.get(name) if known else None
            if value is stood:
                continue
            if kind is Kind.LIST:
                done = {id(item) for item in stood} if stood else ()
                for item in value:
                    if id(item) not in done:
                        walk(item)
            elif kind is Kind.MAP:
                for item in value.values():
                    walk(item)
            else:
                walk(value, stood)

    return visit


def _is_recursive(definition: str) -> bool:
    """JSON schemas contain themselves, and nothing in them has a default."""
    return definition.endswith(".JSONSchemaProps")


def _declared(definition: str) -> Default | None:
    """Defaults that upstream declares beside the field; zero ones only show in fields that tell zero from absent."""
    told = presence().get(definition)
    if told is None:
        return None
    values = [(name, value) for name, value in told.defaults.items() if value or name in told.pointers]
    if not values:
        return None

    def default(tree: Tree) -> None:
        for name, value in values:
            if name not in tree:
                tree[name] = value

    return default

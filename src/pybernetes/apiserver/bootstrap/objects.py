"""Objects as the generic path wants them: typed, defaulted, with nothing missing."""

from __future__ import annotations

from pybernetes.api.decode import decode
from pybernetes.api.defaults import apply_defaults
from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree


def complete(resource: Resource, obj: Tree) -> Tree:
    """The object with its kind and every default; the caller's own."""
    given = obj | {"apiVersion": resource.api_version, "kind": resource.kind}
    made: Tree = decode(schema_of(resource.api_version, resource.kind), given).tree
    apply_defaults(resource, made)
    return made

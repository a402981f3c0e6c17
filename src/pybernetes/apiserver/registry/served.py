"""One resource at one version, as it is served: its strategy, its store, its schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from msgspec import Struct, field

from pybernetes.api.patch.managed_fields import Versions
from pybernetes.api.schema import Schema, schema_of
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.registry.store import ObjectStore
from pybernetes.apiserver.resources.strategy import Strategy
from pybernetes.apiserver.table.column import Cells, Column


class Shape(Protocol):
    """What the schema of a custom resource makes of an object."""

    def prepare(self, tree: Tree, *, applied: bool = False) -> tuple[Tree, list[str]]:
        """The object as it is stored, and the paths of fields that were dropped. Raises DecodeError.

        Of an `applied` one the nulls stay.
        """
        ...


class Convert(Protocol):
    """Objects of any version as objects of one. Raises StatusError."""

    async def __call__(self, objects: Sequence[Tree], api_version: str) -> list[Tree]: ...


class Conversion(Protocol):
    """Between a served version and the storage version; neither method changes its argument."""

    def to_storage(self, obj: Tree) -> Tree: ...

    def from_storage(self, obj: Tree) -> Tree: ...


class Served(Struct, frozen=True, eq=False):
    """`store` is shared by all versions of a kind."""

    resource: Resource
    strategy: Strategy
    store: ObjectStore
    conversion: Conversion | None = None
    """None where objects are stored in this very version."""
    shape: Shape | None = None
    """Of a custom resource: what its schema makes of an object."""
    defined: Schema | None = None
    """Of a kind that is not built in: the schema, if it has one."""
    columns: tuple[Column, ...] | None = None
    """Of a custom resource with printer columns; built-in kinds have theirs in table/."""
    cells: Cells | None = None
    convert: Convert | None = None
    """Of a custom resource: from one version to another."""
    versions: Versions | None = None
    """Of a custom resource: how owners of fields see its other versions."""
    replicas: Mapping[str, str] = field(default_factory=dict)
    """Of a custom resource: where its replicas are, by apiVersion."""
    encoders: dict[Any, Any] = field(default_factory=dict)
    """See `Encoders`."""

    @property
    def custom(self) -> bool:
        """Custom resources carry apiVersion and kind in lists and in the store."""
        return self.shape is not None

    @property
    def schema(self) -> Schema | None:
        """None for kinds that have none: all is taken."""
        if self.custom or self.defined is not None:
            return self.defined
        return _builtin(self.resource.api_version, self.resource.kind)

    def to_storage(self, obj: Tree) -> Tree:
        """An object of this version as it is stored; the same one where the versions agree."""
        return obj if self.conversion is None else self.conversion.to_storage(obj)

    def from_storage(self, obj: Tree) -> Tree:
        """A stored object as this version shows it; never changes `obj`."""
        return obj if self.conversion is None else self.conversion.from_storage(obj)

    def typed(self, obj: Tree) -> Tree:
        """The object with this version's kind and apiVersion in front."""
        return {"kind": self.resource.kind, "apiVersion": self.resource.api_version} | obj


@cache
def _builtin(api_version: str, kind: str) -> Schema | None:
    """Compiled when it is first asked for: a start needs a fifth of them."""
    try:
        return schema_of(api_version, kind)
    except KeyError:
        return None

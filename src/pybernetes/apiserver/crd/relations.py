"""The versions of a custom resource as the owners of its fields need them: each by the names of its own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from pybernetes.api.schema import Schema
from pybernetes.api.tree import Tree
from pybernetes.apiserver.crd.conversion import Converter, rename

KEPT: Final = 64


class Version(Struct, frozen=True):
    """A version's schema, and where in its objects the replicas are ("" for nowhere)."""

    schema: Schema
    replicas_path: str


class UnconvertedError(Exception):
    """Somebody has to be asked first: `learn` it, and try again."""

    def __init__(self, tree: Tree, api_version: str) -> None:
        super().__init__(f"not converted to {api_version} yet")
        self.tree = tree
        self.api_version = api_version


class Relations:
    """Owners are worked out in one go, which cannot wait for a webhook: it is asked for what was found missing.

    See `api.patch.apply.Versions`. Conversions depend on nothing but the object, so that some may be kept.
    """

    def __init__(self, versions: Mapping[str, Version], converter: Converter) -> None:
        self.versions = versions
        self._converter = converter
        self._known: OrderedDict[tuple[str, bytes], Tree] = OrderedDict()

    def schema(self, api_version: str) -> Schema | None:
        found = self.versions.get(api_version)
        return None if found is None else found.schema

    def convert(self, tree: Tree, api_version: str) -> Tree:
        """Raises UnconvertedError."""
        if self._converter.at_once or tree.get("apiVersion") == api_version:
            return rename(tree, api_version)
        found = self._known.get(_key(tree, api_version))
        if found is None:
            raise UnconvertedError(tree, api_version)
        return found

    async def learn(self, missing: UnconvertedError) -> None:
        """Raises StatusError."""
        (made,) = await self._converter.convert([missing.tree], missing.api_version)
        self._known[_key(missing.tree, missing.api_version)] = made
        if len(self._known) > KEPT:
            self._known.popitem(last=False)


def _key(tree: Tree, api_version: str) -> tuple[str, bytes]:
    return api_version, msgspec.json.encode(tree)

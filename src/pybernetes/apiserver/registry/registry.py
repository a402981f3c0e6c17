"""Which resources are served, and the door to their objects for the server's own parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.cache import Cache
from pybernetes.apiserver.cacher.item import Item, Listener
from pybernetes.apiserver.user import LOOPBACK, UserInfo


class Registry(Protocol):
    """Built-in and custom resources alike; custom ones come and go while the server runs.

    Reads are from memory and never wait; what they return is never changed in place. Writes take the whole generic
    path (hooks, admission, validation) on behalf of `user`, and are seen by the reads once they have returned.
    """

    def find(self, group: str, version: str, plural: str) -> Resource | None: ...

    def resources(self) -> Iterator[Resource]: ...

    def get(self, resource: Resource, name: str, namespace: str = "") -> Item | None:
        """The object (`item.tree`, as it is stored; `item.revision`), or None."""
        ...

    async def read(self, resource: Resource, name: str, namespace: str = "") -> Item | None:
        """The object; a custom one in the version of the resource, for which a webhook may be asked. Raises StatusError."""
        ...

    async def read_all(self, resource: Resource, namespace: str = "") -> list[Item]:
        """As `read`, all of them."""
        ...

    def list(self, resource: Resource, namespace: str = "") -> list[Item]: ...

    def cache(self, resource: Resource) -> Cache:
        """Where its objects are; of a built-in one it stays the same. Its `state` tells whether any has changed."""
        ...

    def subscribe(self, resource: Resource, listener: Listener) -> None:
        """Call `listener(old, new)` on the event loop for each object there is, then for each change, in order."""
        ...

    async def create(
        self,
        resource: Resource,
        obj: Tree,
        namespace: str = "",
        *,
        user: UserInfo = LOOPBACK,
        dry_run: bool = False,
    ) -> Item:
        """The object as stored. Raises StatusError."""
        ...

    async def update(
        self,
        resource: Resource,
        obj: Tree,
        *,
        subresource: str = "",
        user: UserInfo = LOOPBACK,
        dry_run: bool = False,
        note: bool = True,
        admit: bool = True,
    ) -> Item:
        """Replace the object of obj's name and namespace; obj's resourceVersion, if any, must be the stored one's.

        `note`: the server becomes the owner of the fields that it writes. Without `admit`, admission is not asked: it
        has been, about the request of which this is a part.
        """
        ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        options: Tree | None = None,
        user: UserInfo = LOOPBACK,
        admit: bool = True,
    ) -> Tree:
        """Delete with these DeleteOptions; the object as last seen (marked as deleting if it is not gone yet)."""
        ...

"""What the stages may ask about the cluster's objects."""

from collections.abc import Sequence
from typing import Protocol

from pybernetes.api.tree import Tree


class Objects(Protocol):
    """Look-ups in the server's own caches, by group and plural; what is returned is never changed in place."""

    def get(self, group: str, plural: str, namespace: str, name: str) -> Tree | None:
        """The object as it is stored now, or None."""
        ...

    def list(self, group: str, plural: str, namespace: str = "") -> Sequence[Tree]:
        """The objects of a namespace ("": of all)."""
        ...

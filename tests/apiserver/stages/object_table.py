"""What stages may ask about the cluster's objects, without a cluster."""

from collections.abc import Sequence

from pybernetes.api.tree import Tree


class ObjectTable:
    """Objects in a table, for tests of what needs no store."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str, str], Tree] = {}

    def put(self, group: str, plural: str, obj: Tree) -> None:
        metadata = obj["metadata"]
        self._objects[group, plural, metadata.get("namespace", ""), metadata["name"]] = obj

    def remove(self, group: str, plural: str, namespace: str, name: str) -> None:
        self._objects.pop((group, plural, namespace, name), None)

    def get(self, group: str, plural: str, namespace: str, name: str) -> Tree | None:
        return self._objects.get((group, plural, namespace, name))

    def list(self, group: str, plural: str, namespace: str = "") -> Sequence[Tree]:
        return [
            obj
            for (its_group, its_plural, its_namespace, _), obj in self._objects.items()
            if (its_group, its_plural) == (group, plural) and namespace in ("", its_namespace)
        ]

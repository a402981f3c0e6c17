"""JSON patch (RFC 6902) as the API server runs it: negative indices count from the end, sizes are bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api.json_text import refuse_depth
from pybernetes.api.patch.depth import refuses_depth
from pybernetes.api.schema import Json

MAX_OPERATIONS: Final = 10_000
MAX_COPY_BYTES: Final = 3 * 1024 * 1024
"""Sum of what `copy` operations may duplicate; the same as the limit of a request body."""

_KINDS: Final = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
_TEXTS: Final = ("op", "path", "from")
_FIELDS: Final = frozenset((*_TEXTS, "value"))
Parent: TypeAlias = "dict[str, Json] | list[Json]"


class JSONPatchError(ValueError):
    """An operation that cannot be carried out; the words are those of upstream's library, which only policies tell."""


class JSONPatchTestError(JSONPatchError):
    """A `test` that does not hold."""


@refuses_depth
def json_patch(document: Json, operations: Json) -> Json:
    """The document after all operations, which happen together or not at all; `document` is left as it was.

    Raises `StatusError`: 400 for what is no list of operations, 413 for too many, 422 for one that does not apply.
    """
    listed = _checked(operations)
    if len(listed) > MAX_OPERATIONS:
        raise errors.request_entity_too_large(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(listed)}"
        )
    try:
        made = patched(document, listed)
    except JSONPatchError as error:
        raise errors.StatusError(
            422, "Invalid", "the server rejected our request due to an error in our request", {}
        ) from error
    try:
        refuse_depth(made)  # operations can nest what is there in itself
    except ValueError as error:
        raise errors.bad_request(str(error)) from error
    return made


def patched(document: Json, operations: Iterable[Mapping[str, Json]]) -> Json:
    """The document after all operations; `document` is left as it was. Raises JSONPatchError."""
    work = _Work(_copied(document))
    for operation in operations:
        work.run(operation)
    return work.document


def _checked(operations: Json) -> list[dict[str, Json]]:
    if operations is None:
        return []
    if not isinstance(operations, list):
        kind = _KINDS[type(operations)]
        raise errors.bad_request(
            f"error decoding patch: json: cannot unmarshal {kind} into Go value of type []handlers.jsonPatchOp"
        )
    listed: list[dict[str, Json]] = []
    for operation in operations:
        if operation is not None and not isinstance(operation, dict):
            kind = _KINDS[type(operation)]
            raise errors.bad_request(
                f"error decoding patch: json: cannot unmarshal {kind} into Go value of type handlers.jsonPatchOp"
            )
        for name in _TEXTS:
            if (given := (operation or {}).get(name)) is not None and not isinstance(given, str):
                raise errors.bad_request(
                    f"error decoding patch: json: cannot unmarshal {_KINDS[type(given)]} into Go struct field "
                    f"jsonPatchOp.{name} of type string"
                )
        listed.append(operation or {})
    return listed


def unknown_fields(operations: Json) -> list[str]:
    """The paths of fields that no operation has: `[0].extra`."""
    if not isinstance(operations, list):
        return []
    return [
        f"[{index}].{name}"
        for index, operation in enumerate(operations)
        if isinstance(operation, dict)
        for name in operation
        if name not in _FIELDS
    ]


class _Work(Struct):
    """The document between operations. It owns all its parts and changes them in place."""

    document: Json
    copied: int = 0

    def run(self, operation: Mapping[str, Json]) -> None:
        kind = operation.get("op")
        handler = _OPERATIONS.get(kind) if isinstance(kind, str) else None
        if handler is None:
            raise JSONPatchError(f"Unexpected kind: {kind if kind and isinstance(kind, str) else 'unknown'}")
        handler(self, operation)

    def add(self, operation: Mapping[str, Json]) -> None:
        parent, key = self._target(operation)
        with _told(f"error in add for path: '{operation.get('path')}'"):
            _insert(parent, key, _copied(operation.get("value")))

    def remove(self, operation: Mapping[str, Json]) -> None:
        parent, key = self._target(operation)
        with _told(f"error in remove for path: '{operation.get('path')}'"):
            _take(parent, key)

    def replace(self, operation: Mapping[str, Json]) -> None:
        value = _copied(operation.get("value"))
        if operation.get("path") == "":
            if not isinstance(value, (dict, list)):
                raise JSONPatchError("replace operation value must be object or array")
            self.document = value
            return
        parent, key = self._target(operation)
        if isinstance(parent, dict):
            parent[key] = value
        else:
            parent[_index(key, len(parent))] = value

    def move(self, operation: Mapping[str, Json]) -> None:
        parent, key = self._target(operation, "from")
        with _told(f"error in move for path: '{key}'"):
            value = _take(parent, key)
        parent, key = self._target(operation)
        with _told(f"error in move for path: '{operation.get('path')}'"):
            _insert(parent, key, value)

    def copy(self, operation: Mapping[str, Json]) -> None:
        parent, key = self._target(operation, "from")
        value = _copied(parent.get(key) if isinstance(parent, dict) else _get(parent, key))
        self.copied += len(msgspec.json.encode(value))
        if self.copied > MAX_COPY_BYTES:
            raise JSONPatchError(f"the accumulated size of copies is limited to {MAX_COPY_BYTES}")
        parent, key = self._target(operation)
        _insert(parent, key, value)

    def test(self, operation: Mapping[str, Json]) -> None:
        parent, key = self._target(operation)
        wanted = operation.get("value")
        if wanted is None and isinstance(parent, dict) and key not in parent:
            return  # null is what is not there, too
        if isinstance(parent, dict) and key not in parent:
            raise JSONPatchTestError(f"testing value {operation.get('path')} failed: test failed")
        if not _equal(_get(parent, key), wanted):
            raise JSONPatchTestError(f"testing value {operation.get('path')} failed: test failed")

    def _target(self, operation: Mapping[str, Json], field: str = "path") -> tuple[Parent, str]:
        """The container that a pointer's last token lies in, and the token."""
        pointer = operation.get(field)
        if not isinstance(pointer, str) or "/" not in pointer:
            raise JSONPatchError(f"{operation.get('op')} operation failed to decode {field}: missing value")
        *way, key = (token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
        node = self.document
        for token in way:
            try:
                node = _get(node, token) if isinstance(node, (dict, list)) else None
            except JSONPatchError as error:
                raise _missing(operation, field) from error
        if not isinstance(node, (dict, list)):
            raise _missing(operation, field)
        return node, key


def _missing(operation: Mapping[str, Json], field: str) -> JSONPatchError:
    """There is nothing where an operation wants to begin."""
    kind, pointer = str(operation.get("op")), operation.get(field)
    if kind in ("add", "remove"):
        return JSONPatchError(f'{kind} operation does not apply: doc is missing path: "{pointer}": missing value')
    called = "from path" if field == "from" else "destination path" if kind in ("move", "copy") else "path"
    doc = "" if kind == "test" else "doc "
    return JSONPatchError(f"{kind} operation does not apply: {doc}is missing {called}: {pointer}: missing value")


@contextmanager
def _told(where: str) -> Iterator[None]:
    """An error inside is told with its place."""
    try:
        yield
    except JSONPatchError as error:
        raise JSONPatchError(f"{where}: {error}") from error


_OPERATIONS: Final[Mapping[str, Callable[[_Work, Mapping[str, Json]], None]]] = {
    "add": _Work.add,
    "remove": _Work.remove,
    "replace": _Work.replace,
    "move": _Work.move,
    "copy": _Work.copy,
    "test": _Work.test,
}


def _index(token: str, length: int) -> int:
    """The place that a token names among `length` ones."""
    try:
        index = int(token)
    except ValueError as error:
        raise JSONPatchError(f"value was not a proper array index: '{token}': {error}") from error
    if not -length <= index < length:
        raise JSONPatchError(f"Unable to access invalid index: {index}: invalid index referenced")
    return index if index >= 0 else index + length


def _get(parent: Parent, key: str) -> Json:
    if isinstance(parent, list):
        return parent[_index(key, len(parent))]
    if key not in parent:
        raise JSONPatchError(f"unable to get nonexistent key: {key}")
    return parent[key]


def _take(parent: Parent, key: str) -> Json:
    if isinstance(parent, dict) and key not in parent:
        raise JSONPatchError(f"Unable to remove nonexistent key: {key}: missing value")
    value = _get(parent, key)
    if isinstance(parent, list):
        del parent[_index(key, len(parent))]
    else:
        del parent[key]
    return value


def _insert(parent: Parent, key: str, value: Json) -> None:
    if isinstance(parent, dict):
        parent[key] = value
    elif key == "-":
        parent.append(value)
    else:
        parent.insert(_index(key, len(parent) + 1), value)


def _copied(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _copied(held) for name, held in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _equal(a: Json, b: Json) -> bool:
    """Equality of JSON texts: 1 is neither 1.0 nor true."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(value, b[name]) for name, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b

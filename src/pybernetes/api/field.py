"""Errors of single fields, with the words of upstream's validation: where, what was found, what was wanted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final, TypeAlias

from msgspec import Struct

from pybernetes.aio.turns import give_way


class Path:
    """Where in an object: `Path("spec").child("containers").index(0)` reads "spec.containers[0]".

    A path is a link to its parent and is only rendered for an error, so that walking without one costs little.
    """

    __slots__ = ("_parent", "_segment")

    def __init__(self, segment: str = "", parent: Path | None = None) -> None:
        self._segment = segment
        self._parent = parent

    def child(self, *names: str) -> Path:
        path = self
        for name in names:
            path = Path(f".{name}", path)
        return path

    def index(self, index: int) -> Path:
        """An element of a list. Whoever judges many passes here, and so gives way."""
        give_way()
        return Path(f"[{index}]", self)

    def key(self, key: str) -> Path:
        return Path(f"[{key}]", self)

    def __str__(self) -> str:
        segments: list[str] = []
        path: Path | None = self
        while path is not None:
            segments.append(path._segment)
            path = path._parent
        return "".join(reversed(segments)).removeprefix(".")

    def __repr__(self) -> str:
        return f"Path({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Path) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


ROOT: Final = Path()
"""The object itself."""


class Kind(Enum):
    """What is wrong with a field; the value is (reason of the cause, words of the message)."""

    REQUIRED = ("FieldValueRequired", "Required value")
    INVALID = ("FieldValueInvalid", "Invalid value")
    NOT_SUPPORTED = ("FieldValueNotSupported", "Unsupported value")
    DUPLICATE = ("FieldValueDuplicate", "Duplicate value")
    FORBIDDEN = ("FieldValueForbidden", "Forbidden")
    TOO_LONG = ("FieldValueTooLong", "Too long")
    TOO_MANY = ("FieldValueTooMany", "Too many")
    TYPE_INVALID = ("FieldValueTypeInvalid", "Invalid value")
    NOT_FOUND = ("FieldValueNotFound", "Not found")
    INTERNAL = ("InternalError", "Internal error")

    @property
    def reason(self) -> str:
        return self.value[0]

    @property
    def words(self) -> str:
        return self.value[1]


class _Omitted:
    """Stands for a value that the message leaves out."""


OMITTED: Final = _Omitted()

_VALUELESS = frozenset({Kind.REQUIRED, Kind.FORBIDDEN, Kind.TOO_LONG, Kind.INTERNAL})


class FieldError(Struct, frozen=True):
    """What is wrong with the field at a path. `value` is what stands there, OMITTED if that is not to be shown."""

    kind: Kind
    field: str
    value: Any
    detail: str
    stands: str = ""
    """Where the value stands, if that is another field."""

    @property
    def body(self) -> str:
        """The message without the field: `Invalid value: 0: must be greater than zero`."""
        text = self.kind.words
        if self.kind not in _VALUELESS and self.value is not OMITTED:
            text += f": {render(self.value)}"
        return f"{text}: {self.detail}" if self.detail else text

    @property
    def cause(self) -> dict[str, str]:
        """The entry of `details.causes`."""
        give_way()
        return {"reason": self.kind.reason, "message": self.body, "field": self.field or "<nil>"}

    def __str__(self) -> str:
        give_way()
        return f"{self.field or '<nil>'}: {self.body}"


ErrorList: TypeAlias = list[FieldError]


def required(path: Path, detail: str = "") -> FieldError:
    return FieldError(Kind.REQUIRED, str(path), "", detail)


def invalid(path: Path, value: Any, detail: str, *, at: Path = ROOT) -> FieldError:
    """A value that is wrong for the reason in `detail`; how values are shown: see `render`. It may stand elsewhere."""
    return FieldError(Kind.INVALID, str(path), value, detail, str(at))


def type_invalid(path: Path, value: Any, detail: str) -> FieldError:
    return FieldError(Kind.TYPE_INVALID, str(path), value, detail)


def not_supported(path: Path, value: Any, supported: Iterable[str]) -> FieldError:
    """A value outside a list; the list is shown in the order given."""
    listed = ", ".join(quote(one) for one in supported)
    return FieldError(Kind.NOT_SUPPORTED, str(path), value, f"supported values: {listed}" if listed else "")


def duplicate(path: Path, value: Any) -> FieldError:
    return FieldError(Kind.DUPLICATE, str(path), value, "")


def forbidden(path: Path, detail: str) -> FieldError:
    return FieldError(Kind.FORBIDDEN, str(path), "", detail)


def not_found(path: Path, value: Any, detail: str = "") -> FieldError:
    return FieldError(Kind.NOT_FOUND, str(path), value, detail)


def internal(path: Path, detail: str) -> FieldError:
    return FieldError(Kind.INTERNAL, str(path), None, detail)


def too_long(path: Path, limit: int) -> FieldError:
    unit = "byte" if limit == 1 else "bytes"
    return FieldError(Kind.TOO_LONG, str(path), "", f"may not be more than {limit} {unit}" if limit >= 0 else "")


def too_many(path: Path, actual: int, limit: int) -> FieldError:
    items = "item" if limit == 1 else "items"
    return FieldError(Kind.TOO_MANY, str(path), actual, f"must have at most {limit} {items}" if limit >= 0 else "")


def aggregate(errors: Iterable[object]) -> str:
    """One line for all, as upstream's aggregates read: the error itself when there is one, else "[a, b]", "" for none.

    Equal ones are told once.
    """
    lines = list(dict.fromkeys(str(error) for error in errors))
    return lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]" if lines else ""


def render(value: Any) -> str:
    """A value as messages show it: strings quoted as Go does, all else as Go's JSON (keys in the order given)."""
    if isinstance(value, str):
        return quote(value)
    return go_json(value)


def go_json(value: Any) -> str:
    """Compact JSON with the escapes of Go's encoder."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _HTML.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


_HTML = re.compile("[<>&\u2028\u2029]")
_SHORT_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
}  # fmt: skip


def quote(text: str) -> str:
    """The text in double quotes with the escapes of Go's %q."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    short = _SHORT_ESCAPES.get(char)
    if short is not None:
        return short
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

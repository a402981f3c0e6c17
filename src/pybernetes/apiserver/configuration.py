"""Files that configure the server: one object of a known kind, in YAML or JSON, with no field that is not known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pybernetes.api.field import FieldError, quote

T = TypeVar("T")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`(?: - at `\$\.?(.*)`)?")
_AT = re.compile(r"(.*) - at `\$\.?(.*)`")


class ConfigurationError(ValueError):
    """The file cannot be used; the text says why, as upstream does."""


def decode(text: str, kinds: Mapping[tuple[str, str], type[T]]) -> T:
    """The object, by its apiVersion and kind. Raises ConfigurationError."""
    import yaml  # most servers have no such file

    try:
        tree: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"error converting YAML to JSON: yaml: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict) or not tree.get("kind"):
        raise ConfigurationError(f"Object 'Kind' is missing in {quote(text)}")
    version, kind = str(tree.get("apiVersion", "")), str(tree["kind"])
    wanted = kinds.get((version, kind))
    if wanted is None:
        raise ConfigurationError(f"no kind {quote(kind)} is registered for version {quote(version)}")
    try:
        return msgspec.convert({key: value for key, value in tree.items() if key not in ("apiVersion", "kind")}, wanted)
    except msgspec.ValidationError as error:
        raise ConfigurationError(_words(str(error))) from error


def refuse(wrong: Sequence[FieldError]) -> None:
    """Raises ConfigurationError for fields that are wrong."""
    if wrong:
        shown = [str(one) for one in wrong]
        raise ConfigurationError(shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]")


def _words(error: str) -> str:
    if unknown := _UNKNOWN.fullmatch(error):
        field = f"{unknown[2]}.{unknown[1]}" if unknown[2] else unknown[1]
        return f"strict decoding error: unknown field {quote(field)}"
    if found := _AT.fullmatch(error):
        return f"{found[2]}: {found[1]}"
    return error


def read(path: str) -> str:
    """The text of a file. Raises ConfigurationError in Go's words."""
    try:
        return Path(path).read_text("utf-8")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"open {path}: {why}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: {error}") from error

"""File system paths inside objects."""

from __future__ import annotations

from pybernetes.api import field
from pybernetes.api.field import Path
from pybernetes.api.validation.kinds import Errors


def no_backsteps(value: str, path: Path) -> Errors:
    if ".." in value.split("/"):
        yield field.invalid(path, value, "must not contain '..'")


def descending_path(value: str, path: Path) -> Errors:
    """A relative path that stays below where it starts."""
    if value.startswith("/"):
        yield field.invalid(path, value, "must be a relative path")
    yield from no_backsteps(value, path)


def new_file_path(value: str, path: Path) -> Errors:
    """As `descending_path`; its first part may not start with two dots, which volumes keep for themselves."""
    yield from descending_path(value, path)
    if value.startswith("..") and not value.startswith("../"):
        yield field.invalid(path, value, "must not start with '..'")

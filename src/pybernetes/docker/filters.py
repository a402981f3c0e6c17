"""The `filters` of docker's lists. Pure."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping

from pybernetes.docker.errors import DockerError

Filters = Mapping[str, list[str]]


def parse(text: str, known: frozenset[str]) -> dict[str, list[str]]:
    """The parameter's value: `{"key": {"value": true}}`, or with lists as older clients send. Raises DockerError."""
    if not text:
        return {}
    try:
        found = {str(key): [str(value) for value in values] for key, values in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise DockerError(400, f"invalid filter: {error}") from error
    if unknown := sorted(set(found) - known):
        raise DockerError(400, f"invalid filter '{unknown[0]}'")
    return found


def fits_labels(labels: Mapping[str, str], wanted: list[str]) -> bool:
    """`key` or `key=value`, all of them."""
    pairs = (label.partition("=") for label in wanted)
    return all(key in labels and (not equals or labels[key] == value) for key, equals, value in pairs)


def fits_reference(names: list[str], patterns: list[str]) -> bool:
    """A pattern fits `repository` or `repository:tag`, with wildcards that stop at a slash."""
    return not patterns or any(_fits(name, pattern) for name in names for pattern in patterns)


def _fits(name: str, pattern: str) -> bool:
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return any(
        each.count("/") == pattern.count("/") and fnmatch.fnmatchcase(each, pattern) for each in (name, repository)
    )


def is_true(values: list[str]) -> bool:
    return any(value.lower() in ("1", "true", "yes") for value in values)

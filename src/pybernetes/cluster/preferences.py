"""A user's preferences: what `p8s start` takes where nothing else is said, and which cluster commands are about."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from pybernetes.cluster import profile
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.files import write_private
from pybernetes.cluster.owner import acting_as, caller


class PreferencesError(ClusterError):
    """The file cannot be read or written."""


def path() -> Path:
    """In the home of whoever called, through sudo or not."""
    return caller().home / ".config" / "pybernetes" / "config.json"


def load() -> dict[str, Any]:
    """Options by name, as they were set; empty if there is no file. Raises PreferencesError."""
    place = path()
    try:
        with acting_as(caller()):
            stored = json.loads(place.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise PreferencesError(f"{place} cannot be read: {error}", f"mend or remove {place}") from error
    if not isinstance(stored, dict):
        raise PreferencesError(f"{place} does not hold preferences", f"mend or remove {place}")
    return stored


def save(preferences: dict[str, Any]) -> None:
    """Atomic, as the user whose they are."""
    owner, place = caller(), path()
    try:
        with acting_as(owner):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_private(place, json.dumps(preferences, indent=2).encode() + b"\n")
    except OSError as error:
        raise PreferencesError(f"{place} cannot be written: {error.strerror}") from error


def default_profile() -> str:
    """The profile that is meant where none is named."""
    return str(load().get("profile", profile.DEFAULT))


def command(verb: str, name: str) -> str:
    """What to type to have `verb` done to a cluster: it is named unless it is the one that is meant anyway."""
    with suppress(PreferencesError):
        if name == default_profile():
            return f"p8s {verb}"
    return f"p8s {verb} --profile {name}"

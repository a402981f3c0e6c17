"""What a monitor leaves on disk: written whole or not at all."""

import json
import os
from typing import Any


def write_record(directory: str, name: str, record: dict[str, Any]) -> None:
    """Replace the record in one step, so that a reader or a crash sees the old or the new one."""
    path = os.path.join(directory, name)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w") as file:
        json.dump(record, file)
    os.replace(temporary, path)


def read_record(directory: str, name: str) -> dict[str, Any] | None:
    """The record, or None if it was never written (or lies in shreds after a power loss)."""
    try:
        with open(os.path.join(directory, name)) as file:
            record: dict[str, Any] = json.load(file)
            return record
    except (FileNotFoundError, ValueError):
        return None

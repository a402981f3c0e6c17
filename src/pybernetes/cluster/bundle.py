"""A report on a cluster in one file: logs, state and objects, for whoever is to find out what is wrong.

Secrets are left out: no Secret or ConfigMap is asked for, values of environment variables and annotations that repeat
whole objects are blanked, and what looks like a credential in a log is, too.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import tarfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pybernetes import API_LEVEL, __version__
from pybernetes.cluster import control
from pybernetes.cluster.door import Door, DoorError, open_door
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.owner import acting_as, caller
from pybernetes.cluster.profile import Profile

LOG_BYTES = 2 * 1024 * 1024
"""Of each log, its end."""

LISTS = {
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/pods",
    "services": "/api/v1/services",
    "events": "/api/v1/events",
    "claims": "/api/v1/persistentvolumeclaims",
    "volumes": "/api/v1/persistentvolumes",
    "deployments": "/apis/apps/v1/deployments",
    "replicasets": "/apis/apps/v1/replicasets",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
}
BLANK = "<left out>"
CREDENTIALS = re.compile(
    r"(?i)(authorization[=:]\s*(?:(?:basic|bearer)\s+)?|bearer\s+|password[=:]\s*|token[=:]\s*|://[^/\s:@]+:)([^\s,;&\"'@]+)"
)
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class BundleError(ClusterError):
    """The file cannot be written."""


def write(profile: Profile, path: Path) -> list[str]:
    """Write the report as the caller, readable for them only; the names in it. Raises BundleError."""
    content = dict(parts(profile))
    with acting_as(caller()):
        try:
            # A link, or a file that is there already, is not written through.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise BundleError(f"{path}: {error.strerror}", "name a file that does not exist yet") from error
        with os.fdopen(descriptor, "wb") as file:
            _pack(file, f"p8s-{profile.name}", content)
    return list(content)


def _pack(file: Any, folder: str, content: dict[str, bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in content.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
            archive.addfile(entry, io.BytesIO(data))


def parts(profile: Profile) -> Iterator[tuple[str, bytes]]:
    """Names and contents. What cannot be had says so in its place."""
    yield "versions.json", _json(versions())
    yield "settings.json", redact(_json(asdict(profile.settings)).decode()).encode()
    running = control.is_running(profile)
    yield "status.json", _json({"state": control.state(profile), "components": _components(profile) if running else []})
    for path in sorted(profile.logs.glob("*.log*")):
        yield f"logs/{path.name}", redact(_end(path)).encode()
    if running:
        door = open_door(profile.name)
        for name, address in LISTS.items():
            yield f"objects/{name}.json", _json(_objects(door, address))


def versions() -> dict[str, str]:
    return {
        "pybernetes": __version__,
        "kubernetes": API_LEVEL,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
    }


def _components(profile: Profile) -> Any:
    try:
        return control.request(profile, "status", timeout=5)["components"]
    except (OSError, ValueError, control.NotRunningError, control.NotAnsweringError) as error:
        return str(error)


def _objects(door: Door, path: str) -> Any:
    try:
        return [without_secrets(each) for each in door.items(path)]
    except DoorError as error:
        return {"error": str(error)}


def without_secrets(tree: Any) -> Any:
    """A copy of an object whose environment values and repeated configurations are blank. Pure."""
    if isinstance(tree, list):
        return [without_secrets(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    copied = {key: without_secrets(value) for key, value in tree.items() if key != "managedFields"}
    for variable in copied.get("env") or []:
        if isinstance(variable, dict) and "value" in variable:
            variable["value"] = BLANK
    annotations = copied.get("annotations")
    if isinstance(annotations, dict) and APPLIED in annotations:
        annotations[APPLIED] = BLANK
    return copied


def redact(text: str) -> str:
    """Without what looks like a credential. Pure."""
    return CREDENTIALS.sub(lambda found: found[1] + BLANK, text)


def _end(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        return file.read().decode(errors="replace")


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, default=str).encode() + b"\n"

"""Devices by name (Container Device Interface): files that vendors write say what a container gets of each.

https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from pybernetes.cri.errors import CRIError, InvalidError
from pybernetes.runtime.oci.devices import node_of

log = logging.getLogger(__name__)

DIRECTORIES = (Path("/etc/cdi"), Path("/var/run/cdi"))
"""What the later one says counts."""

Edits = Mapping[str, Any]
"""`containerEdits`: env, deviceNodes, mounts, hooks, additionalGids."""


class Found(Struct, frozen=True):
    """What a device does to a container, and what every device of its file does once."""

    own: Edits
    shared: Edits
    file: Path


def inject(spec: dict[str, Any], names: Sequence[str], directories: Iterable[Path] = DIRECTORIES) -> None:
    """Change a container's config as the named devices say. Blocking. Raises CRIError where one is not known."""
    if not names:
        return
    known = read_devices(directories)
    if missing := [name for name in names if name not in known]:
        raise CRIError(f"CDI device injection failed: unresolvable CDI devices {', '.join(missing)}")
    seen: set[Path] = set()
    for name in dict.fromkeys(names):
        found = known[name]
        if found.file not in seen:
            seen.add(found.file)
            apply(spec, found.shared)
        apply(spec, found.own)


def read_devices(directories: Iterable[Path]) -> dict[str, Found]:
    """All devices by their full names, `vendor/class=device`. A name that one directory has twice is nobody's."""
    known: dict[str, Found] = {}
    for directory in directories:
        here: dict[str, Found | None] = {}
        for path in _files(directory):
            for name, found in _devices(path):
                here[name] = None if name in here else found
        for name, entry in here.items():
            known.pop(name, None)
            if entry is not None:
                known[name] = entry
    return known


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.suffix in (".json", ".yaml", ".yml"))
    except OSError:
        return []


def _devices(path: Path) -> Iterable[tuple[str, Found]]:
    """What a file has; one that cannot be read has nothing."""
    try:
        tree = _parse(path)
        shared = tree.get("containerEdits") or {}
        return [
            (f"{tree['kind']}={device['name']}", Found(device.get("containerEdits") or {}, shared, path))
            for device in tree.get("devices") or ()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("CDI file cannot be read file=%s error=%s", path, error)
        return []


def _parse(path: Path) -> dict[str, Any]:
    if path.suffix == ".json":
        found = json.loads(path.read_text())
    else:
        import yaml  # few vendors write it

        try:
            found = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error
    return dict(found)


def apply(spec: dict[str, Any], edits: Edits) -> None:
    """Make one set of edits. Raises InvalidError for those that make no sense."""
    try:
        _add_environment(spec, edits.get("env") or ())
        for node in edits.get("deviceNodes") or ():
            _add_device(spec, node)
        for mount in edits.get("mounts") or ():
            _add_mount(spec, mount)
        for hook in edits.get("hooks") or ():
            kept = {name: hook[name] for name in ("path", "args", "env", "timeout") if name in hook}
            spec.setdefault("hooks", {}).setdefault(hook["hookName"], []).append(kept)
        user = spec["process"].setdefault("user", {})
        for gid in edits.get("additionalGids") or ():
            user["additionalGids"] = [*user.get("additionalGids", ()), gid]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidError(f"CDI device injection failed: invalid container edits: {error!r}") from error


def _add_environment(spec: dict[str, Any], variables: Iterable[str]) -> None:
    for variable in variables:
        name = variable.partition("=")[0]
        kept = [each for each in spec["process"].get("env", ()) if each.partition("=")[0] != name]
        # HOME of no image is the runtime's own, and comes last.
        end = len(kept) - (1 if kept and kept[-1].startswith("HOME=") else 0)
        spec["process"]["env"] = [*kept[:end], variable, *kept[end:]]


def _add_device(spec: dict[str, Any], asked: Mapping[str, Any]) -> None:
    """A device node, and the right to use it; what the file leaves out is as on the node."""
    source = asked.get("hostPath") or asked["path"]
    node = {"path": asked["path"], **{name: asked[name] for name in _NODE if asked.get(name) is not None}}
    if "type" not in node or (node["type"] != "p" and not {"major", "minor"} <= node.keys()):
        found = node_of(os.path.realpath(source))
        if found is None:
            raise InvalidError(f"CDI device injection failed: {source}: no such device")
        node = {**found, **node}
    linux = spec["linux"]
    linux["devices"] = [each for each in linux["devices"] if each["path"] != node["path"]] + [node]
    if node["type"] in ("b", "c"):
        rule = {"allow": True, "type": node["type"], "access": asked.get("permissions") or "rwm"}
        linux["resources"]["devices"].append(rule | {"major": node["major"], "minor": node["minor"]})


_NODE = ("type", "major", "minor", "fileMode", "uid", "gid")


def _add_mount(spec: dict[str, Any], asked: Mapping[str, Any]) -> None:
    """In its place by depth, as all mounts are; in the place of one that is there already."""
    made = {
        "destination": asked["containerPath"],
        "type": asked.get("type") or "bind",
        "source": asked["hostPath"],
        "options": list(asked.get("options") or ["rbind"]),
    }
    others = [each for each in spec["mounts"] if each["destination"] != made["destination"]]
    spec["mounts"] = sorted([*others, made], key=lambda mount: _depth(mount["destination"]))


def _depth(path: str) -> int:
    return len([part for part in path.split("/") if part])

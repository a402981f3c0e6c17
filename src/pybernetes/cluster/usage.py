"""What a cluster takes of the disk, by what it is for, and what of it could be given back."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pybernetes.cluster import control
from pybernetes.cluster.profile import Profile

PLACES = {
    "images": ("runtime/images/blobs", "runtime/images/ingest", "runtime/images/images.json"),
    "layers": ("runtime/images/snapshots/layers", "runtime/images/snapshots/staging"),
    "containers": ("runtime/images/snapshots/containers", "runtime/containers", "runtime/sandboxes"),
    "volumes": ("volumes", "kubelet"),
    "logs": ("logs",),
    "objects": ("store",),
}
"""Below the state of a profile, and below that of each further node."""

HELP = {
    "images": "as they were pulled, loaded or built",
    "layers": "images unpacked",
    "containers": "what containers have written, and their records",
    "volumes": "claims of class standard, emptyDir and the like",
    "logs": "of pods and of the cluster's processes",
    "objects": "the store",
    "other": "certificates, caches",
}


@dataclass(frozen=True, slots=True)
class Row:
    """`reclaimable` is None where nothing is known of it."""

    what: str
    bytes: int
    reclaimable: int | None = None


def measure(profile: Profile) -> list[Row]:
    """A row for each use, in bytes of the disk. Links and mounts of containers are not followed."""
    roots = [profile.state, *(node.state for node in profile.nodes if not node.is_first)]
    seen: set[tuple[int, int]] = set()
    rows = [
        Row(what, sum(size(root / place, seen) for root in roots for place in places))
        for what, places in PLACES.items()
    ]
    rest = size(profile.state, seen)
    reclaimable = {"images": unused_images(profile), "logs": old_logs(profile)}
    return [Row(row.what, row.bytes, reclaimable.get(row.what)) for row in rows] + [Row("other", rest)]


def size(place: Path, seen: set[tuple[int, int]]) -> int:
    """Bytes of the disk that a file or a directory takes, without what has been `seen` and without other mounts."""
    try:
        top = os.lstat(place)
    except FileNotFoundError:
        return 0
    total, waiting = 0, [(str(place), top)]
    while waiting:
        path, status = waiting.pop()
        key = (status.st_dev, status.st_ino)
        if key in seen or status.st_dev != top.st_dev:
            continue
        seen.add(key)
        total += status.st_blocks * 512
        if stat.S_ISDIR(status.st_mode):
            waiting += _entries(path)
    return total


def _entries(path: str) -> list[tuple[str, os.stat_result]]:
    """Of a directory; what goes away meanwhile does not count."""
    found = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                try:
                    found.append((entry.path, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue
    except FileNotFoundError:
        return []
    return found


def old_logs(profile: Profile) -> int:
    """Logs of the cluster's processes that were put aside."""
    return sum(size(path, set()) for path in profile.logs.glob("*.log.*"))


def unused_images(profile: Profile) -> int | None:
    """Blobs that only images without a container have; None if the runtime cannot be asked."""
    if profile.settings.simulated or not control.is_running(profile):
        return None
    return asyncio.run(_unused(profile))


async def _unused(profile: Profile) -> int | None:
    from pybernetes.cluster.images import open_door
    from pybernetes.cri.errors import CRIError

    try:
        async with open_door(profile) as door:
            records, containers = await door.library.image_records(), await door.containers()
    except CRIError:
        return None
    used = {name for each in containers for name in (each.image_id, each.image_ref)}
    kept: set[str] = set()
    free: set[str] = set()
    for record in records:
        is_used = record.id in used or not used.isdisjoint(record.digests)
        (kept if is_used else free).update([record.id, record.manifest, *record.layers])
    return sum(_blobs(profile, free - kept))


def _blobs(profile: Profile, digests: Iterable[str]) -> Iterable[int]:
    for digest in digests:
        algorithm, _, name = digest.partition(":")
        yield size(profile.state / "runtime/images/blobs" / algorithm / name, set())

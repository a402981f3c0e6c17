"""`vol_data.json`: what was staged or published, for whoever has to undo it after a restart. Blocking."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pybernetes.kubelet.volumes import mounting
from pybernetes.kubelet.volumes.csi.places import DATA_FILE, Places


class Record(msgspec.Struct, frozen=True, rename={
    "driver": "driverName", "handle": "volumeHandle", "name": "specVolID", "node": "nodeName",
    "mode": "volumeLifecycleMode", "attachment": "attachmentID",
}, omit_defaults=True):  # fmt: skip
    """The keys are upstream's, since tools read them; what is staged says only the first two."""

    driver: str = ""
    handle: str = ""
    name: str = ""
    node: str = ""
    mode: str = ""
    attachment: str = ""

    @property
    def volume(self) -> tuple[str, str]:
        """(driver, handle)"""
        return self.driver, self.handle


def save(directory: Path, record: Record) -> None:
    """Raises OSError."""
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    (directory / DATA_FILE).write_bytes(msgspec.json.encode(record) + b"\n")


def load(directory: Path) -> Record | None:
    """None where there is none that can be read."""
    try:
        return msgspec.json.decode((directory / DATA_FILE).read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None


def clear(target: Path) -> None:
    """Remove a target with its record, unless something is still mounted there. Safe to repeat. Raises OSError."""
    if mounting.is_mount_point(target):
        return
    if target.is_dir() and not target.is_symlink():
        target.rmdir()
    else:
        target.unlink(missing_ok=True)
    (target.parent / DATA_FILE).unlink(missing_ok=True)
    if target.parent.is_dir():
        target.parent.rmdir()


def published(pod: Path) -> Iterator[tuple[Path, Record]]:
    """What a pod has with a filesystem: target and record."""
    for directory in entries(Places.mounts(pod)):
        record = load(directory)
        if record is not None:
            yield directory / "mount", record


def devices(places: Places, pod: Path) -> Iterator[tuple[Path, Record]]:
    """What a pod has as devices: link and record."""
    for link in entries(places.links(pod)):
        record = load(places.device_data(link.name))
        if record is not None:
            yield link, record


def staged(places: Places) -> Iterator[tuple[Path, Record]]:
    """What is staged on the node: path and record."""
    for driver in entries(places.plugin):
        if driver == places.devices:
            continue
        for directory in entries(driver):
            if (record := load(directory)) is not None:
                yield directory / "globalmount", record
    for directory in entries(places.devices):
        if (record := load(directory / "data")) is not None:
            yield places.staged_device(directory.name), record


def entries(directory: Path) -> list[Path]:
    """Nothing, where it does not exist."""
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove_tree(directory: Path) -> None:
    """Remove what is left of a volume's directory, never through a mount. Safe to repeat. Raises OSError."""
    if directory.exists() and mounting.mounts_below(directory):
        raise OSError(f"something is still mounted below {directory}")
    shutil.rmtree(directory, ignore_errors=True)

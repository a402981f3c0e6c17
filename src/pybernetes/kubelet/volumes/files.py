"""A volume's content as a value: relative paths, bytes and modes."""

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from pybernetes.api.types import core_v1 as v1


class VolumeError(Exception):
    """A volume cannot be set up. `operation` and `reason` are as events name them; `volume` is what they call it, where
    that is not the pod's own name for it."""

    operation = "MountVolume.SetUp"
    reason = "FailedMount"
    volume = ""

    def told(self, name: str) -> str:
        """What its event says, of a volume that has this name in its pod."""
        return f'{self.operation} failed for volume "{self.volume or name}" : {self}'


class File(Struct, frozen=True):
    """A file to be; the owner is root unless given."""

    data: bytes
    mode: int
    uid: int | None = None


Files = Mapping[str, File]


class _KeyToPath(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def mode(self) -> int | None: ...


def select(
    data: Mapping[str, bytes], items: Sequence[_KeyToPath], default_mode: int, optional: bool, what: str
) -> dict[str, File]:
    """All keys as files, or only `items`. Raises VolumeError for an item's missing key unless it is optional."""
    if not items:
        return {key: File(value, default_mode) for key, value in data.items()}
    files: dict[str, File] = {}
    for item in items:
        if item.key in data:
            files[item.path] = File(data[item.key], default_mode if item.mode is None else item.mode)
        elif not optional:
            named = "configmap references" if what == "configmap" else "references"  # upstream's own difference
            raise VolumeError(f"{named} non-existent {what_kind(what)} key: {item.key}")
    return files


def what_kind(what: str) -> str:
    return "config" if what == "configmap" else what


def check_paths(paths: Iterable[str]) -> None:
    """Raises VolumeError for a path that would leave the volume or clash with its own bookkeeping."""
    for path in paths:
        parts = path.split("/")
        if not path or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
            raise VolumeError(f"invalid path {path!r}: it must stay inside the volume and not begin with '..'")


def config_map_data(found: v1.ConfigMap) -> dict[str, bytes]:
    """Text and binary keys alike."""
    data = {key: value.encode() for key, value in found.data.items()}
    return data | {key: b64decode(value) for key, value in found.binary_data.items()}

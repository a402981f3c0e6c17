"""Volumes of pods, and the sources that persistent volumes share with them."""

from __future__ import annotations

from pybernetes.api.defaults.table import Default, fields, set_absent
from pybernetes.api.tree import Tree

_MODE = 0o644


def _volume(volume: Tree) -> None:
    if volume.keys() <= {"name"}:
        volume["emptyDir"] = {}


def _azure_disk(source: Tree) -> None:
    set_absent(source, "cachingMode", "ReadWrite")
    set_absent(source, "kind", "Shared")
    set_absent(source, "fsType", "ext4")
    set_absent(source, "readOnly", False)


DEFAULTS: dict[str, Default] = {
    "core.v1.Volume": _volume,
    "core.v1.SecretVolumeSource": fields(defaultMode=_MODE),
    "core.v1.ConfigMapVolumeSource": fields(defaultMode=_MODE),
    "core.v1.DownwardAPIVolumeSource": fields(defaultMode=_MODE),
    "core.v1.ProjectedVolumeSource": fields(defaultMode=_MODE),
    "core.v1.ServiceAccountTokenProjection": fields(expirationSeconds=3600),
    "core.v1.HostPathVolumeSource": fields(type=""),
    "core.v1.AzureDiskVolumeSource": _azure_disk,
}

"""Volumes, claims, classes and drivers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pybernetes.api.tree import Tree
from pybernetes.apiserver.table.cells import UNSET, age, at, name

_SHORT_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_DEFAULT_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def _modes(modes: list[str] | None) -> str:
    given = set(modes or [])
    return ",".join(short for mode, short in _SHORT_MODES.items() if mode in given)


def _class(obj: Tree) -> str:
    annotated = (obj["metadata"].get("annotations") or {}).get(_CLASS_ANNOTATION)
    found: str = annotated if annotated is not None else at(obj, "spec", "storageClassName", default="")
    return found


def _phase(obj: Tree) -> str:
    found: str = "Terminating" if "deletionTimestamp" in obj["metadata"] else at(obj, "status", "phase", default="")
    return found


def persistent_volume_claim(obj: Tree, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    bound = bool(spec.get("volumeName"))
    return [
        name(obj),
        _phase(obj),
        spec.get("volumeName", ""),
        at(status, "capacity", "storage", default="0") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        _class(obj),
        spec.get("volumeAttributesClassName") or UNSET,
        age(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def persistent_volume(obj: Tree, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    claim = spec.get("claimRef")
    return [
        name(obj),
        at(spec, "capacity", "storage", default=""),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class(obj),
        spec.get("volumeAttributesClassName") or UNSET,
        at(obj, "status", "reason", default=""),
        age(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def storage_class(obj: Tree, now: datetime) -> list[Any]:
    annotations = obj["metadata"].get("annotations") or {}
    default = any(annotations.get(key) == "true" for key in _DEFAULT_CLASS)
    return [
        name(obj) + (" (default)" if default else ""),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    ]


def csi_driver(obj: Tree, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    tokens = [one.get("audience", "") for one in spec.get("tokenRequests") or []]
    return [
        name(obj),
        spec.get("attachRequired", True),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        ",".join(tokens) if tokens else UNSET,
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or []),
        age(obj, now),
    ]


def csi_node(obj: Tree, now: datetime) -> list[Any]:
    return [name(obj), len(at(obj, "spec", "drivers", default=[])), age(obj, now)]


def volume_attachment(obj: Tree, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        name(obj),
        spec.get("attacher", ""),
        at(spec, "source", "persistentVolumeName", default=""),
        spec.get("nodeName", ""),
        bool(at(obj, "status", "attached")),
        age(obj, now),
    ]


def volume_attributes_class(obj: Tree, now: datetime) -> list[Any]:
    default = (obj["metadata"].get("annotations") or {}).get(
        "volumeattributesclass.alpha.kubernetes.io/is-default-class"
    ) == "true"
    return [name(obj) + (" (default)" if default else ""), obj.get("driverName", ""), age(obj, now)]

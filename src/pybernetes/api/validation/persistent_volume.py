"""Persistent volumes."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import immutable, positive_quantity
from pybernetes.api.validation.differences import differences
from pybernetes.api.validation.kinds import Errors, Part, Rules, RulesTable
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.persistent_volume_claim import VOLUME_MODES, validate_access_modes
from pybernetes.api.validation.pod.paths import no_backsteps
from pybernetes.api.validation.pod.scheduling import validate_node_selector
from pybernetes.api.validation.pod.volumes import (
    fibre_channel,
    flocker,
    host_path,
    needs,
    nfs,
    quobyte,
    validate_driver_name,
)
from pybernetes.api.validation.structures import NODE_SELECTOR, Structures, shown_struct, structure

_SPEC = Path("spec")
_RECLAIM = ("Delete", "Recycle", "Retain")
_STRUCTURES: Structures = {**NODE_SELECTOR, "NodeAffinity": structure("Required>NodeSelector")}


def _csi(source: Tree, path: Path) -> Errors:
    yield from validate_driver_name(source.get("driver", ""), path.child("driver"))
    if not source.get("volumeHandle"):
        yield field.required(path.child("volumeHandle"))


def _local(source: Tree, path: Path) -> Errors:
    if not source.get("path"):
        yield field.required(path.child("path"))
    else:
        yield from no_backsteps(source["path"], path.child("path"))


_SOURCES: dict[str, Part] = {
    "hostPath": host_path, "gcePersistentDisk": needs("pdName"), "awsElasticBlockStore": needs("volumeID"),
    "glusterfs": needs("endpoints", "path"), "flocker": flocker, "nfs": nfs, "rbd": needs("monitors", "image"),
    "quobyte": quobyte, "cephfs": needs("monitors"), "iscsi": needs("targetPortal", "iqn"),
    "cinder": needs("volumeID"), "fc": fibre_channel, "flexVolume": needs("driver"),
    "azureFile": needs("secretName", "shareName"), "vsphereVolume": needs("volumePath"),
    "photonPersistentDisk": needs("pdID"), "portworxVolume": needs("volumeID"),
    "azureDisk": needs("diskName", "diskURI"), "scaleIO": needs("gateway", "system", "volumeName"),
    "local": _local, "storageos": needs("volumeName"), "csi": _csi,
}  # fmt: skip


def _create(volume: Tree) -> Errors:
    spec = volume["spec"]
    yield from validate_access_modes(spec.get("accessModes") or [], _SPEC.child("accessModes"), "")
    capacity = spec.get("capacity") or {}
    if not capacity:
        yield field.required(_SPEC.child("capacity"))
    if set(capacity) != {"storage"}:
        yield field.not_supported(_SPEC.child("capacity"), _shown_capacity(capacity) or None, ("storage",))
    for name, amount in capacity.items():
        yield from positive_quantity(amount, _SPEC.child("capacity").key(name))
    policy = spec.get("persistentVolumeReclaimPolicy", "")
    if policy not in _RECLAIM:
        yield field.not_supported(_SPEC.child("persistentVolumeReclaimPolicy"), policy, _RECLAIM)
    affinity = (spec.get("nodeAffinity") or {}).get("required")
    if affinity is not None:
        yield from validate_node_selector(affinity, _SPEC.child("nodeAffinity", "required"))
    elif spec.get("nodeAffinity") is not None:
        yield field.required(_SPEC.child("nodeAffinity", "required"), "must specify required node constraints")
    yield from _validate_source(spec)
    yield from _validate_names(spec)


def _shown_capacity(capacity: dict[str, str]) -> dict[str, str]:
    return dict(sorted(capacity.items()))


def _validate_source(spec: Tree) -> Errors:
    told = [name for name in _SOURCES if spec.get(name) is not None]
    if not told:
        yield field.required(_SPEC, "must specify a volume type")
    for position, name in enumerate(told):
        if position:
            yield field.forbidden(_SPEC.child(name), "may not specify more than 1 volume type")
        else:
            yield from _SOURCES[name](spec[name], _SPEC.child(name))
    if spec.get("local") is not None and spec.get("nodeAffinity") is None:
        yield field.required(_SPEC.child("nodeAffinity"), "Local volume requires node affinity")
    recycled = spec.get("persistentVolumeReclaimPolicy") == "Recycle"
    if recycled and (spec.get("hostPath") or {}).get("path") == "/":
        detail = "may not be 'recycle' for a hostPath mount of '/'"
        yield field.forbidden(_SPEC.child("persistentVolumeReclaimPolicy"), detail)


def _validate_names(spec: Tree) -> Errors:
    for name in ("storageClassName", "volumeAttributesClassName"):
        value = spec.get(name)
        if value:
            yield from complain(_SPEC.child(name), value, names.dns1123_subdomain(value))
    if spec.get("volumeAttributesClassName") and spec.get("csi") is None:
        yield field.required(_SPEC.child("csi"), "has to be specified when using volumeAttributesClassName")
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        yield field.not_supported(_SPEC.child("volumeMode"), mode, VOLUME_MODES)


def _update(new: Tree, old: Tree) -> Errors:
    # Upstream judges the whole twice here, and clients see every complaint twice.
    yield from _create(new)
    spec, was = new["spec"], old["spec"]
    sources = [{name: one.get(name) for name in _SOURCES} for one in (spec, was)]
    if sources[0] != sources[1]:
        detail = "spec.persistentvolumesource is immutable after creation"
        changed = differences("core.PersistentVolumeSource", sources[0], sources[1])
        yield field.forbidden(_SPEC.child("persistentvolumesource"), f"{detail}\n{changed}")
    yield from immutable(spec.get("volumeMode"), was.get("volumeMode"), ROOT.child("volumeMode"))
    if was.get("nodeAffinity") is not None and spec.get("nodeAffinity") != was["nodeAffinity"]:
        detail = "field is immutable, except for updating from beta label to GA"
        shown = shown_struct(spec.get("nodeAffinity"), "NodeAffinity", _STRUCTURES)
        yield field.invalid(ROOT.child("nodeAffinity"), shown, detail)


RULES: RulesTable = {
    ("", "persistentvolumes"): Rules(
        _create, _update, subresources={"status": lambda new, old: iter(())}, whole_looks=2, update_looks=0
    ),
}

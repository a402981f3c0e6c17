"""Persistent volumes."""

from __future__ import annotations

from posixpath import normpath

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.quantity import Quantity
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import immutable, positive_quantity, require
from pybernetes.api.validation.differences import differences
from pybernetes.api.validation.kinds import Errors, Part, Rules, RulesTable
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.persistent_volume_claim import VOLUME_MODES, validate_access_modes
from pybernetes.api.validation.pod.paths import no_backsteps
from pybernetes.api.validation.pod.scheduling import validate_node_selector
from pybernetes.api.validation.pod.volumes import host_path, validate_driver_name
from pybernetes.api.validation.structures import NODE_SELECTOR, Structures, shown_struct, structure
from pybernetes.api.validation.volume_plugins import (
    SESSION_NAME_TOO_LONG,
    azure_disk,
    both,
    fibre_channel,
    flex,
    flocker,
    has_long_session_name,
    iscsi,
    needs,
    nfs,
    partitioned,
    quobyte,
    secret_ref,
    storageos,
)

_SPEC = Path("spec")
_RECLAIM = ("Delete", "Recycle", "Retain")
_STRUCTURES: Structures = {**NODE_SELECTOR, "NodeAffinity": structure("Required>NodeSelector")}


def _csi(source: Tree, path: Path) -> Errors:
    yield from validate_driver_name(source.get("driver", ""), path.child("driver"))
    yield from require(source, path, "volumeHandle")
    for name in _CSI_SECRETS:
        if source.get(name) is not None:
            yield from _csi_secret(source[name], path.child(name))


def _csi_secret(ref: Tree, path: Path) -> Errors:
    for name, check in (("name", names.dns1123_subdomain), ("namespace", names.dns1123_label)):
        if ref.get(name):
            yield from complain(path.child(name), ref[name], check(ref[name]))
        else:
            yield field.required(path.child(name))


def _local(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "path")
    yield from no_backsteps(source.get("path", ""), path.child("path"))


def _glusterfs(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "endpoints", "path")
    namespace, at = source.get("endpointsNamespace"), path.child("endpointsNamespace")
    if namespace == "":
        yield field.invalid(at, "", "if the endpointnamespace is set, it must be a valid namespace name")
    elif namespace is not None:
        yield from complain(at, namespace, names.dns1123_label(namespace))


def _azure_file(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "secretName", "shareName")
    if source.get("secretNamespace") == "":
        yield field.required(path.child("secretNamespace"))


_CSI_SECRETS = (  # those of the node's staging are not judged
    "controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef",
)  # fmt: skip
_SOURCES: dict[str, Part] = {
    "hostPath": host_path, "gcePersistentDisk": partitioned("pdName"),
    "awsElasticBlockStore": partitioned("volumeID"), "glusterfs": _glusterfs, "flocker": flocker, "nfs": nfs,
    "rbd": needs("monitors", "image"), "quobyte": quobyte, "cephfs": needs("monitors"),
    "iscsi": both(iscsi("must be valid format"), secret_ref("name")),
    "cinder": both(needs("volumeID"), secret_ref("name", "namespace")), "fc": fibre_channel, "flexVolume": flex,
    "azureFile": _azure_file, "vsphereVolume": needs("volumePath"), "photonPersistentDisk": needs("pdID"),
    "portworxVolume": needs("volumeID"), "azureDisk": azure_disk,
    "scaleIO": needs("gateway", "system", "volumeName"), "local": _local,
    "storageos": both(storageos, secret_ref("name", "namespace")), "csi": _csi,
}  # fmt: skip
"""In the order in which upstream looks at them: all but the first are one too many."""
_CALLED = {"gcePersistentDisk": "persistentDisk"}


def _create(volume: Tree) -> Errors:
    spec = volume["spec"]
    yield from validate_access_modes(spec.get("accessModes") or [], _SPEC.child("accessModes"), "")
    capacity = spec.get("capacity") or {}
    if not capacity:
        yield field.required(_SPEC.child("capacity"))
    if set(capacity) != {"storage"}:
        yield field.not_supported(_SPEC.child("capacity"), _shown_capacity(capacity) or None, ("storage",))
    for name, amount in capacity.items():
        if amount.startswith("-"):  # shown as it is reckoned with, not as it is written
            shown = Quantity.parse(amount).value
            yield field.invalid(_SPEC.child("capacity").key(name), shown, "must be a valid resource quantity")
        yield from positive_quantity(amount, _SPEC.child("capacity").key(name))
    policy = spec.get("persistentVolumeReclaimPolicy", "")
    if policy not in _RECLAIM:
        yield field.not_supported(_SPEC.child("persistentVolumeReclaimPolicy"), policy, _RECLAIM)
    affinity = (spec.get("nodeAffinity") or {}).get("required")
    if affinity is not None:
        yield from validate_node_selector(affinity, _SPEC.child("nodeAffinity", "required"))
    elif spec.get("nodeAffinity") is not None:
        yield field.required(_SPEC.child("nodeAffinity", "required"), "must specify required node constraints")
    yield from _validate_source(spec, _SPEC, volume["metadata"].get("name", ""))
    if spec.get("storageClassName"):
        name = spec["storageClassName"]
        yield from complain(_SPEC.child("storageClassName"), name, names.dns1123_subdomain(name))
    yield from _validate_attributes_class(spec)
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        yield field.not_supported(_SPEC.child("volumeMode"), mode, VOLUME_MODES)


def validate_inline_volume(spec: Tree, path: Path) -> Errors:
    """The volume that stands in a VolumeAttachment: one of CSI, without all that belongs to a volume of its own."""
    inline = "in the context of inline volumes"
    for name in ("claimRef", "capacity", "nodeAffinity", "storageClassName"):
        if spec.get(name) or (name in _GIVEN_IF_EMPTY and spec.get(name) is not None):
            yield field.forbidden(path.child(name), f"may not be specified {inline}")
    if spec.get("csi") is None:
        yield field.required(path.child("csi"), f"has to be specified {inline}")
    yield from validate_access_modes(spec.get("accessModes") or [], path.child("accessModes"), "")
    if (spec.get("persistentVolumeReclaimPolicy") or "Retain") != "Retain":
        yield field.forbidden(path.child("persistentVolumeReclaimPolicy"), f"may only be Retain {inline}")
    yield from _validate_source(spec, path, "")
    mode = spec.get("volumeMode")
    if mode is not None and mode != "Filesystem":
        yield field.forbidden(path.child("volumeMode"), f"may not specify volumeMode other than Filesystem {inline}")


_GIVEN_IF_EMPTY = ("claimRef", "nodeAffinity")  # unlike capacities and classes


def _shown_capacity(capacity: dict[str, str]) -> dict[str, str]:
    return dict(sorted(capacity.items()))


def _validate_source(spec: Tree, path: Path, volume: str) -> Errors:
    told = [name for name in _SOURCES if spec.get(name) is not None]
    if not told:
        yield field.required(path, "must specify a volume type")
    for position, name in enumerate(told):
        if not position or name == "flexVolume":
            yield from _SOURCES[name](spec[name], path.child(_CALLED.get(name, name)))
        else:
            called = "cephFS" if name == "cephfs" else name
            yield field.forbidden(path.child(called), "may not specify more than 1 volume type")
    if told[:1] == ["iscsi"] and has_long_session_name(spec["iscsi"], volume):
        portal = spec["iscsi"].get("targetPortal", "")
        yield field.invalid(path.child("iscsi", "targetportal"), portal, SESSION_NAME_TOO_LONG)
    if told[:1] == ["local"] and spec.get("nodeAffinity") is None:
        yield field.required(path.child("nodeAffinity"), "Local volume requires node affinity")
    host = (spec.get("hostPath") or {}).get("path", "")
    if host and normpath(host).strip("/") == "" and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        detail = "may not be 'recycle' for a hostPath mount of '/'"
        yield field.forbidden(path.child("persistentVolumeReclaimPolicy"), detail)


def _validate_attributes_class(spec: Tree) -> Errors:
    name = spec.get("volumeAttributesClassName")
    if name is None:
        return
    if name:
        yield from complain(_SPEC.child("volumeAttributesClassName"), name, names.dns1123_subdomain(name))
    else:
        yield field.required(_SPEC.child("volumeAttributesClassName"), "an empty string is disallowed")
    if spec.get("csi") is None:
        yield field.required(_SPEC.child("csi"), "has to be specified when using volumeAttributesClassName")


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

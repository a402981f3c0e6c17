"""Volumes of pods: which sources there are. What becomes a file in them: `volume_files`."""

from __future__ import annotations

from typing import Final

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import require
from pybernetes.api.validation.kinds import Errors, Part
from pybernetes.api.validation.metadata import complain, validate_annotations, validate_labels
from pybernetes.api.validation.persistent_volume_claim import validate_claim_spec
from pybernetes.api.validation.pod.paths import descending_path, no_backsteps
from pybernetes.api.validation.pod.volume_files import config_map, downward_api, projected, secret
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

_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip


def validate_volumes(volumes: list[Tree], path: Path, sound: dict[str, Tree]) -> Errors:
    """Those with nothing wrong are added to `sound`, by name: for containers the others are not there."""
    for index, volume in enumerate(volumes):
        found = list(_volume(volume, path.index(index), sound))
        yield from found
        if not found:
            sound[volume["name"]] = volume


def validate_made_claims(volumes: list[Tree], pod: str, path: Path) -> Errors:
    """The claims that are made for a pod of this name, and are nobody else's."""
    made = {f"{pod}-{volume['name']}" for volume in volumes if volume.get("ephemeral") is not None}
    for index, volume in enumerate(volumes):
        at, name = path.index(index), volume["name"]
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
        if claim in made:
            detail = "must not reference a PVC that gets created for an ephemeral volume"
            yield field.invalid(at.child("persistentVolumeClaim", "claimName"), claim, detail)
        if volume.get("ephemeral") is not None and name:
            for complaint in names.dns1123_subdomain(f"{pod}-{name}"):
                yield field.invalid(at.child("name"), name, f'PVC name "{pod}-{name}": {complaint}')


def _volume(volume: Tree, path: Path, taken: dict[str, Tree]) -> Errors:
    yield from _validate_source(volume, path)
    name = volume["name"]
    if not name:
        yield field.required(path.child("name"))
    else:
        yield from complain(path.child("name"), name, names.dns1123_label(name))
    if name in taken:
        yield field.duplicate(path.child("name"), name)


def _validate_source(volume: Tree, path: Path) -> Errors:
    told = [name for name in volume if volume[name] is not None and name in _SOURCES]
    told.sort(key=_ORDER.index)
    if not told:
        yield field.required(path, "must specify a volume type")
        return
    first, *others = told
    yield from _SOURCES[first](volume[first], path.child(_CALLED.get(first, first)))
    for name in others:
        yield field.forbidden(path.child(_SURPLUS_CALLED.get(name, name)), "may not specify more than 1 volume type")
    name = volume["name"]
    if "iscsi" in told and has_long_session_name(volume["iscsi"], name):
        yield field.invalid(path.child("name"), name, SESSION_NAME_TOO_LONG)


def _empty_dir(source: Tree, path: Path) -> Errors:
    if str(source.get("sizeLimit", "")).startswith("-"):
        yield field.forbidden(path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity")


def host_path(source: Tree, path: Path) -> Errors:
    if not source["path"]:
        yield field.required(path.child("path"))
        return
    yield from no_backsteps(source["path"], path.child("path"))
    kind = source.get("type")
    if kind is not None and kind not in _HOST_PATH_TYPES:
        yield field.not_supported(path.child("type"), kind, _HOST_PATH_TYPES)


def csi(source: Tree, path: Path) -> Errors:
    yield from validate_driver_name(source.get("driver", ""), path.child("driver"))
    ref = source.get("nodePublishSecretRef")
    if ref is not None and not ref.get("name"):
        yield field.required(path.child("nodePublishSecretRef", "name"))
    elif ref is not None:
        yield from complain(path.child("name"), ref["name"], names.dns1123_subdomain(ref["name"]))


def validate_driver_name(name: str, path: Path) -> Errors:
    """The name of a CSI driver."""
    if not name:
        yield field.required(path)
        return
    if len(name) > 63:
        yield field.too_long(path, 63)
    yield from complain(path, name, names.dns1123_subdomain(name.lower()))


def _ephemeral(source: Tree, path: Path) -> Errors:
    template = source.get("volumeClaimTemplate")
    if template is None:
        yield field.required(path.child("volumeClaimTemplate"))
    else:
        at, metadata = path.child("volumeClaimTemplate"), template.get("metadata") or {}
        yield from validate_annotations(metadata.get("annotations") or {}, at.child("metadata", "annotations"))
        yield from validate_labels(metadata.get("labels") or {}, at.child("metadata", "labels"))
        for name in metadata.keys() - {"annotations", "labels", "creationTimestamp"}:
            yield field.forbidden(at.child("metadata", name), "cannot be set")
        yield from validate_claim_spec(template["spec"], at.child("spec"))


def _image(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "reference")
    policy = source.get("pullPolicy")
    if policy and policy not in ("Always", "IfNotPresent", "Never"):
        yield field.not_supported(path.child("pullPolicy"), policy, ("Always", "IfNotPresent", "Never"))


def _git(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "repository")
    yield from descending_path(source.get("directory", ""), path.child("directory"))


_SOURCES: Final[dict[str, Part]] = {
    "emptyDir": _empty_dir, "hostPath": host_path, "gitRepo": _git, "gcePersistentDisk": partitioned("pdName"),
    "awsElasticBlockStore": partitioned("volumeID"), "secret": secret, "nfs": nfs,
    "iscsi": iscsi("must be valid format starting with iqn, eui, or naa"), "glusterfs": needs("endpoints", "path"),
    "flocker": flocker, "persistentVolumeClaim": needs("claimName"), "rbd": needs("monitors", "image"),
    "cinder": both(needs("volumeID"), secret_ref("name")), "cephfs": needs("monitors"), "quobyte": quobyte,
    "downwardAPI": downward_api, "fc": fibre_channel, "flexVolume": flex, "configMap": config_map,
    "azureFile": needs("secretName", "shareName"), "vsphereVolume": needs("volumePath"),
    "photonPersistentDisk": needs("pdID"), "portworxVolume": needs("volumeID"), "azureDisk": azure_disk,
    "storageos": both(storageos, secret_ref("name")), "projected": projected,
    "scaleIO": needs("gateway", "system", "volumeName"), "csi": csi, "ephemeral": _ephemeral, "image": _image,
}  # fmt: skip
"""In the order in which upstream looks at them: all but the first are one too many."""
_ORDER: Final = tuple(_SOURCES)
_CALLED: Final = {"gcePersistentDisk": "persistentDisk"}
_SURPLUS_CALLED: Final = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
"""The names that messages have for some sources, and for those that are one too many."""

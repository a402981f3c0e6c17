"""Volumes of pods. Sources with nothing but required fields are a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import require
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.persistent_volume_claim import validate_claim_spec
from pybernetes.api.validation.pod.environment import VOLUME_FIELDS, validate_field_ref, validate_resource_field_ref
from pybernetes.api.validation.pod.paths import new_file_path, no_backsteps

_Source: TypeAlias = Callable[[Tree, Path], Errors]
_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_MODE_RANGE = "must be a number between 0 and 0777 (octal), both inclusive"

# The order in which upstream looks at sources: all but the first are one too many.
_ORDER = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc",
    "flexVolume", "configMap", "azureFile", "azureDisk", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
    "scaleIO", "storageos", "projected", "csi", "ephemeral", "image",
)  # fmt: skip


def validate_volumes(volumes: list[Tree], path: Path) -> Errors:
    taken: set[str] = set()
    for index, volume in enumerate(volumes):
        at = path.index(index)
        yield from _validate_source(volume, at)
        name = volume["name"]
        if not name:
            yield field.required(at.child("name"))
        else:
            yield from complain(at.child("name"), name, names.dns1123_label(name))
            if name in taken:
                yield field.duplicate(at.child("name"), name)
        taken.add(name)


def _validate_source(volume: Tree, path: Path) -> Errors:
    told = [name for name, source in volume.items() if source is not None and name in _SOURCES]
    told.sort(key=_ORDER.index)
    if not told:
        yield field.required(path, "must specify a volume type")
        return
    yield from _SOURCES[told[0]](volume[told[0]], path.child(told[0]))
    for name in told[1:]:
        yield field.forbidden(path.child(name), "may not specify more than 1 volume type")


def needs(*fields: str) -> _Source:
    """A source whose only rule is that these fields are not empty."""

    def validate(source: Tree, path: Path) -> Errors:
        return require(source, path, *fields)

    return validate


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


def nfs(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "server", "path")
    if not source.get("path", "").startswith("/"):
        yield field.invalid(path.child("path"), source.get("path", ""), "must be an absolute path")


def fibre_channel(source: Tree, path: Path) -> Errors:
    targets, wwids, lun = source.get("targetWWNs") or [], source.get("wwids") or [], source.get("lun")
    at = path.child("targetWWNs")
    if not targets and not wwids:
        yield field.required(at, "must specify either targetWWNs or wwids, but not both")
    if targets and wwids:
        yield field.invalid(at, targets, "targetWWNs and wwids can not be specified simultaneously")
    if targets and lun is None:
        yield field.required(path.child("lun"), "lun is required if targetWWNs is specified")
    elif targets and lun is not None and not 0 <= lun <= 255:
        yield field.invalid(path.child("lun"), lun, "must be between 0 and 255, inclusive")


def quobyte(source: Tree, path: Path) -> Errors:
    registry, at = source.get("registry", ""), path.child("registry")
    pairs = "must be a host:port pair or multiple pairs separated by commas"
    if not registry:
        yield field.required(at, pairs)
    elif len(source.get("tenant", "")) > 64:
        yield field.required(path.child("tenant"), "must be a UUID and may not exceed a length of 64 characters")
    else:
        for pair in registry.split(","):
            if pair.count(":") != 1:
                yield field.invalid(at, registry, pairs)
    yield from require(source, path, "volume")


def flocker(source: Tree, path: Path) -> Errors:
    name, uuid = source.get("datasetName", ""), source.get("datasetUUID", "")
    if not name and not uuid:
        yield field.required(path, "one of datasetName and datasetUUID is required")
    if name and uuid:
        yield field.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in name:
        yield field.invalid(path.child("datasetName"), name, "must not contain '/'")


def _mode(source: Tree, path: Path, name: str = "defaultMode") -> Errors:
    value = source.get(name)
    if value is not None and not 0 <= value <= 0o777:
        yield field.invalid(path.child(name), value, _MODE_RANGE)


def _items(source: Tree, path: Path) -> Errors:
    """Which keys become which files."""
    for index, item in enumerate(source.get("items") or ()):
        at = path.child("items").index(index)
        yield from require(item, at, "key", "path")
        if item.get("path"):
            yield from new_file_path(item["path"], at.child("path"))
        yield from _mode(item, at, "mode")


def _secret(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "secretName")
    yield from _mode(source, path)
    yield from _items(source, path)


def _config_map(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "name")
    yield from _mode(source, path)
    yield from _items(source, path)


def _downward_api(source: Tree, path: Path) -> Errors:
    yield from _mode(source, path)
    for item in source.get("items") or ():
        yield from _downward_file(item, path)


def _downward_file(item: Tree, path: Path) -> Errors:
    """Upstream names these without the index of their item."""
    yield from require(item, path, "path")
    if item.get("path"):
        yield from new_file_path(item["path"], path.child("path"))
    if item.get("fieldRef") is not None:
        yield from validate_field_ref(item["fieldRef"], VOLUME_FIELDS, path.child("fieldRef"))
        if item.get("resourceFieldRef") is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            yield field.invalid(path, "resource", detail)
    elif item.get("resourceFieldRef") is not None:
        yield from validate_resource_field_ref(item["resourceFieldRef"], path.child("resourceFieldRef"), volume=True)
    else:
        yield field.required(path, "one of fieldRef and resourceFieldRef is required")
    yield from _mode(item, path, "mode")


def _projected(source: Tree, path: Path) -> Errors:
    yield from _mode(source, path)
    taken: set[str] = set()
    for index, projection in enumerate(source.get("sources") or ()):
        at = path.child("sources").index(index)
        told = [name for name in _PROJECTIONS if projection.get(name) is not None]
        if not told:  # upstream only warns
            continue
        if told[0] == "serviceAccountToken" and not projection["serviceAccountToken"].get("path"):
            yield field.required(path.child("path"))
        yield from _PROJECTIONS[told[0]](projection[told[0]], at.child(told[0]))
        for name in told[1:]:
            yield field.forbidden(at.child(name), "may not specify more than 1 volume type per source")
        yield from _conflicting_paths(projection[told[0]], taken, source, path)


def _conflicting_paths(projection: Tree, taken: set[str], source: Tree, path: Path) -> Errors:
    paths = [item.get("path", "") for item in projection.get("items") or ()]
    if not paths and projection.get("path"):
        paths = [projection["path"]]
    for file in paths:
        if file and file in taken:
            yield field.invalid(
                path, source.get("sources", [{}])[0].get("name", ""), f"conflicting duplicate paths: {file}"
            )
        taken.add(file)


def _account_token(source: Tree, path: Path) -> Errors:
    seconds = source.get("expirationSeconds", 3600)
    if seconds < 600:
        yield field.invalid(path.child("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes")
    elif seconds > 2**32:
        yield field.invalid(
            path.child("expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds"
        )
    if source.get("path"):
        yield from new_file_path(source["path"], path.child("path"))


def _trust_bundle(source: Tree, path: Path) -> Errors:
    if source.get("name") is not None and source.get("signerName") is not None:
        yield field.invalid(path, field.OMITTED, "only one of name and signerName may be used")
    elif source.get("name") is None and source.get("signerName") is None:
        yield field.required(path, "either name or signerName must be specified")
    yield from require(source, path, "path")


def _named_projection(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "name")
    yield from _items(source, path)


_PROJECTIONS: Final[dict[str, _Source]] = {
    "secret": _named_projection,
    "configMap": _named_projection,
    "downwardAPI": _downward_api,
    "serviceAccountToken": _account_token,
    "clusterTrustBundle": _trust_bundle,
    "podCertificate": needs("signerName", "keyType"),
}


def csi(source: Tree, path: Path) -> Errors:
    yield from validate_driver_name(source.get("driver", ""), path.child("driver"))
    ref = source.get("nodePublishSecretRef")
    if ref is not None and not ref.get("name"):
        yield field.required(path.child("nodePublishSecretRef", "name"))


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
        yield from validate_claim_spec(template["spec"], path.child("volumeClaimTemplate", "spec"))


def _image(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "reference")
    policy = source.get("pullPolicy")
    if policy and policy not in ("Always", "IfNotPresent", "Never"):
        yield field.not_supported(path.child("pullPolicy"), policy, ("Always", "IfNotPresent", "Never"))


def _iscsi(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "targetPortal", "iqn")
    if not 0 <= source.get("lun", 0) <= 255:
        yield field.invalid(path.child("lun"), source["lun"], "must be between 0 and 255, inclusive")


_SOURCES: Final[dict[str, _Source]] = {
    "emptyDir": _empty_dir, "hostPath": host_path, "gitRepo": needs("repository"),
    "gcePersistentDisk": needs("pdName"), "awsElasticBlockStore": needs("volumeID"), "secret": _secret, "nfs": nfs,
    "iscsi": _iscsi, "glusterfs": needs("endpoints", "path"), "flocker": flocker,
    "persistentVolumeClaim": needs("claimName"), "rbd": needs("monitors", "image"), "cinder": needs("volumeID"),
    "cephfs": needs("monitors"), "quobyte": quobyte, "downwardAPI": _downward_api, "fc": fibre_channel,
    "flexVolume": needs("driver"), "configMap": _config_map, "azureFile": needs("secretName", "shareName"),
    "azureDisk": needs("diskName", "diskURI"), "vsphereVolume": needs("volumePath"),
    "photonPersistentDisk": needs("pdID"), "portworxVolume": needs("volumeID"),
    "scaleIO": needs("gateway", "system", "volumeName"), "storageos": needs("volumeName"), "projected": _projected,
    "csi": csi, "ephemeral": _ephemeral, "image": _image,
}  # fmt: skip

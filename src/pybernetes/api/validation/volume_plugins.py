"""Volume sources of drivers that once were part of Kubernetes. Nobody mounts most of them now; they are judged as ever.

Sources with nothing but required fields are in the tables of those who have them: `pod/volumes.py` and
`persistent_volume.py`.
"""

from __future__ import annotations

import re
from typing import Final

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import is_host_port
from pybernetes.api.validation.common import require
from pybernetes.api.validation.kinds import Errors, Part
from pybernetes.api.validation.metadata import complain

_CACHING: Final = ("None", "ReadOnly", "ReadWrite")
_DISK_KINDS: Final = ("Dedicated", "Managed", "Shared")
_MANAGED_DISK: Final = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_BLOB_DISK: Final = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
_INITIATORS: Final = {
    "iqn": re.compile(r"iqn\.[0-9]{4}-[0-9]{2}\.([0-9A-Za-z.-]+)(:[^,;*&$|\t\n\f\r ]+)\Z"),
    "eui": re.compile(r"\Aeui.[0-9A-Za-z]{16}\Z"),
    "naa": re.compile(r"\Anaa.[0-9A-Za-z]{32}\Z"),
}
MAX_SESSION_NAME: Final = 64
SESSION_NAME_TOO_LONG: Final = (
    "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters "
    "if iscsi.initiatorName is specified."
)


def needs(*fields: str) -> Part:
    """A source whose only rule is that these fields are not empty."""

    def validate(source: Tree, path: Path) -> Errors:
        return require(source, path, *fields)

    return validate


def secret_ref(*fields: str) -> Part:
    """Of a source that may name a secret: these of its fields are not empty."""

    def validate(source: Tree, path: Path) -> Errors:
        ref = source.get("secretRef")
        if ref is not None:
            yield from require(ref, path.child("secretRef"), *fields)

    return validate


def both(first: Part, second: Part) -> Part:
    def validate(source: Tree, path: Path) -> Errors:
        yield from first(source, path)
        yield from second(source, path)

    return validate


def partitioned(disk: str) -> Part:
    """A disk of a cloud, by the field that names it."""

    def validate(source: Tree, path: Path) -> Errors:
        yield from require(source, path, disk)
        if not 0 <= source.get("partition", 0) <= 255:
            yield field.invalid(path.child("partition"), source["partition"], "must be between 1 and 255, inclusive")

    return validate


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
    elif len(source.get("tenant", "").encode()) > 64:
        yield field.required(path.child("tenant"), "must be a UUID and may not exceed a length of 64 characters")
    else:
        for pair in registry.split(","):
            if not is_host_port(pair):
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


def flex(source: Tree, path: Path) -> Errors:
    """Names of options under Kubernetes' own domains are not the user's."""
    yield from require(source, path, "driver")
    for key in source.get("options") or ():
        if f".{key.partition('/')[0].lower()}".endswith((".kubernetes.io", ".k8s.io")):
            detail = "kubernetes.io and k8s.io namespaces are reserved"
            yield field.invalid(path.child("options").key(key), key, detail)


def azure_disk(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "diskName", "diskURI")
    caching, kind, uri = source.get("cachingMode"), source.get("kind"), source.get("diskURI", "")
    if caching is not None and caching not in _CACHING:
        yield field.not_supported(path.child("cachingMode"), caching, _CACHING)
    if kind is not None and kind not in _DISK_KINDS:
        yield field.not_supported(path.child("kind"), kind, _DISK_KINDS)
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        yield field.not_supported(path.child("diskURI"), uri, (_MANAGED_DISK,))
    if kind not in (None, "Managed") and not uri.startswith("https://"):
        yield field.not_supported(path.child("diskURI"), uri, (_BLOB_DISK,))


def storageos(source: Tree, path: Path) -> Errors:
    yield from require(source, path, "volumeName")
    for name in ("volumeName", "volumeNamespace"):
        if source.get(name):
            yield from complain(path.child(name), source[name], names.dns1123_label(source[name]))


def iscsi(prefix_detail: str) -> Part:
    """`prefix_detail` are the words for a name that is of no kind that initiators have."""

    def validate(source: Tree, path: Path) -> Errors:
        yield from require(source, path, "targetPortal", "iqn")
        if source.get("iqn"):
            yield from _initiator(source["iqn"], path.child("iqn"), prefix_detail)
        if not 0 <= source.get("lun", 0) <= 255:
            yield field.invalid(path.child("lun"), source["lun"], "must be between 0 and 255, inclusive")
        if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
            yield field.required(path.child("secretRef"))
        if source.get("initiatorName") is not None:
            yield from _initiator(source["initiatorName"], path.child("initiatorname"), prefix_detail)

    return validate


def _initiator(name: str, path: Path, prefix_detail: str) -> Errors:
    pattern = _INITIATORS.get(name[:3])
    if pattern is None:
        yield field.invalid(path, name, prefix_detail)
    elif not pattern.search(name):
        yield field.invalid(path, name, "must be valid format")


def has_long_session_name(source: Tree, volume: str) -> bool:
    """Whether an initiator's sessions would have too long a name: that of the volume, and the portal."""
    if source.get("initiatorName") is None:
        return False
    return len(f"{volume}:{source.get('targetPortal', '')}".encode()) > MAX_SESSION_NAME

"""CSI drivers, nodes and capacities, and attachments of volumes."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import IMMUTABLE, immutable, label_selector, non_negative, non_negative_quantity
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.persistent_volume import validate_inline_volume
from pybernetes.api.validation.pod.volumes import validate_driver_name
from pybernetes.api.validation.structures import Structures, shown_struct, structure

_GROUP = "storage.k8s.io"
_SPEC = Path("spec")
_REQUIRED = ("attachRequired", "podInfoOnMount", "storageCapacity")
_MAX_NODE_ID = 256
_STRUCTURES: Structures = {
    "Driver": structure("Name:s NodeID=nodeID:s TopologyKeys Allocatable"),
    "Attachment": structure("Attacher:s Source:o>Source NodeName:s"),
    "Source": structure("PersistentVolumeName InlineVolumeSpec"),
}
_MODES = ("Persistent", "Ephemeral")
_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")


def _driver(driver: Tree) -> Errors:
    spec = driver["spec"]
    for name in _REQUIRED:
        if spec.get(name) is None:
            yield field.required(_SPEC.child(name))
    modes = spec.get("volumeLifecycleModes") or []
    for mode in modes:
        if mode not in _MODES:
            yield field.not_supported(_SPEC.child("volumeLifecycleModes"), mode, _MODES)
    policy = spec.get("fsGroupPolicy")
    if policy is not None and policy not in _POLICIES:
        yield field.not_supported(_SPEC.child("fsGroupPolicy"), policy, _POLICIES)
    yield from _token_requests(spec.get("tokenRequests") or [])
    in_secrets = spec.get("serviceAccountTokenInSecrets")
    if in_secrets is not None and not spec.get("tokenRequests"):
        detail = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
        yield field.invalid(_SPEC.child("serviceAccountTokenInSecrets"), in_secrets, detail)
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < 10:
        path = _SPEC.child("nodeAllocatableUpdatePeriodSeconds")
        yield field.invalid(path, period, "must be greater than or equal to 10 seconds")


def _token_requests(requests: list[Tree]) -> Errors:
    audiences = [request["audience"] for request in requests]
    for index, request in enumerate(requests):
        path, seconds = _SPEC.child("tokenRequests").index(index), request.get("expirationSeconds")
        if audiences[index] in audiences[:index]:
            yield field.duplicate(path.child("audience"), audiences[index])
        if seconds is None:
            continue
        if seconds < 600:
            yield field.invalid(
                path.child("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes"
            )
        if seconds > 2**32:
            detail = "may not specify a duration larger than 2^32 seconds"
            yield field.invalid(path.child("expirationSeconds"), seconds, detail)


def _update_driver(new: Tree, old: Tree) -> Errors:
    # The one name is upstream's slip.
    for name, told in (("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes")):
        yield from immutable(new["spec"].get(name), old["spec"].get(name), _SPEC.child(told))


def _node(node: Tree) -> Errors:
    taken: set[str] = set()
    for index, driver in enumerate(node["spec"].get("drivers") or ()):
        path = _SPEC.child("drivers").index(index)
        yield from validate_driver_name(driver["name"], path.child("name"))
        if not driver.get("nodeID"):
            yield field.required(path.child("nodeID"))
        elif len(driver["nodeID"].encode()) > _MAX_NODE_ID:
            detail = f"must be {_MAX_NODE_ID} characters or less"
            yield field.invalid(path.child("nodeID"), driver["nodeID"], detail)
        yield from non_negative(driver.get("allocatable") or {}, path.child("allocatable"), "count")
        if driver["name"] in taken:
            yield field.duplicate(path.child("name"), driver["name"])
        taken.add(driver["name"])
        keys = driver.get("topologyKeys") or []
        for number, key in enumerate(keys):
            if not key:
                yield field.required(path)
            if key in keys[:number]:
                yield field.duplicate(path, key)
            yield from complain(path, key, names.qualified_name(key))


def _update_node(new: Tree, old: Tree) -> Errors:
    """Of a driver that stays only the count of volumes may change."""
    known = {driver["name"]: driver for driver in old["spec"].get("drivers") or ()}
    for driver in new["spec"].get("drivers") or ():
        fixed = {name: value for name, value in driver.items() if name != "allocatable"}
        before = {name: value for name, value in known.get(driver["name"], fixed).items() if name != "allocatable"}
        if fixed != before:
            shown = shown_struct(fixed, "Driver", _STRUCTURES)
            yield field.invalid(_SPEC.child("drivers"), shown, IMMUTABLE)


def _capacity(capacity: Tree) -> Errors:
    name = capacity.get("storageClassName", "")
    yield from complain(ROOT.child("storageClassName"), name, names.dns1123_subdomain(name))
    yield from label_selector(capacity.get("nodeTopology"), ROOT.child("nodeTopology"))
    if capacity.get("capacity") is not None:
        yield from non_negative_quantity(capacity["capacity"], ROOT.child("capacity"))


def _update_capacity(new: Tree, old: Tree) -> Errors:
    for name in ("nodeTopology", "storageClassName"):
        yield from immutable(new.get(name), old.get(name), ROOT.child(name))


def _attachment(attachment: Tree) -> Errors:
    spec = attachment["spec"]
    yield from validate_driver_name(spec.get("attacher", ""), _SPEC.child("attacher"))
    yield from _attached(spec)
    node = spec.get("nodeName", "")
    yield from complain(_SPEC.child("nodeName"), node, names.dns1123_subdomain(node))


def _attached(spec: Tree) -> Errors:
    """What is attached: a volume, or what stands for one that is inline."""
    source = spec.get("source") or {}
    inline, name = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    path = _SPEC.child("source")
    if inline is None and name is None:
        yield field.required(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    elif inline is not None and name is not None:
        yield field.forbidden(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    elif name is not None:
        if not name:
            yield field.required(path.child("persistentVolumeName"), "must specify non empty persistentVolumeName")
        yield from complain(path.child("persistentVolumeName"), name, names.dns1123_subdomain(name))
    elif inline is not None:
        yield from validate_inline_volume(inline, path.child("inlineVolumeSpec"))


def _update_attachment(new: Tree, old: Tree) -> Errors:
    if new["spec"] != old["spec"]:
        yield field.invalid(_SPEC, shown_struct(new["spec"], "Attachment", _STRUCTURES), IMMUTABLE)


RULES: RulesTable = {
    (_GROUP, "csidrivers"): Rules(_driver, _update_driver),
    (_GROUP, "csinodes"): Rules(_node, _update_node, whole_looks=1, update_looks=0),
    (_GROUP, "csistoragecapacities"): Rules(_capacity, _update_capacity, whole_looks=1),
    (_GROUP, "volumeattachments"): Rules(
        _attachment, _update_attachment, whole_looks=1, update_looks=0, part_looks={"status": (1, 0)}
    ),
}

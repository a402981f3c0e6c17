"""CSI drivers, nodes and capacities, and attachments of volumes."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.validation.common import immutable, label_selector, non_negative_quantity
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable, Tree
from pybernetes.api.validation.metadata import complain
from pybernetes.api.validation.pod.volumes import validate_driver_name

_GROUP = "storage.k8s.io"
_SPEC = Path("spec")
_REQUIRED = ("attachRequired", "podInfoOnMount", "storageCapacity")
_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")


def _driver(driver: Tree) -> Errors:
    spec = driver["spec"]
    for name in _REQUIRED:
        if spec.get(name) is None:
            yield field.required(_SPEC.child(name))
    modes = spec.get("volumeLifecycleModes") or []
    for mode in modes:
        if mode not in ("Ephemeral", "Persistent"):
            yield field.not_supported(_SPEC.child("volumeLifecycleModes"), mode, ("Ephemeral", "Persistent"))
    policy = spec.get("fsGroupPolicy")
    if policy is not None and policy not in _POLICIES:
        yield field.not_supported(_SPEC.child("fsGroupPolicy"), policy, _POLICIES)
    audiences = [request["audience"] for request in spec.get("tokenRequests") or ()]
    for index, audience in enumerate(audiences):
        if audience in audiences[:index]:
            yield field.duplicate(_SPEC.child("tokenRequests").index(index).child("audience"), audience)


def _update_driver(new: Tree, old: Tree) -> Errors:
    for name in ("attachRequired", "volumeLifecycleModes"):
        yield from immutable(new["spec"].get(name), old["spec"].get(name), _SPEC.child(name))


def _node(node: Tree) -> Errors:
    taken: set[str] = set()
    for index, driver in enumerate(node["spec"].get("drivers") or ()):
        path = _SPEC.child("drivers").index(index)
        yield from validate_driver_name(driver["name"], path.child("name"))
        if not driver.get("nodeID"):
            yield field.required(path.child("nodeID"))
        if driver["name"] in taken:
            yield field.duplicate(path.child("name"), driver["name"])
        taken.add(driver["name"])


def _capacity(capacity: Tree) -> Errors:
    name = capacity.get("storageClassName", "")
    yield from complain(ROOT.child("storageClassName"), name, names.dns1123_subdomain(name))
    yield from label_selector(capacity.get("nodeTopology"), ROOT.child("nodeTopology"))
    for key in ("capacity", "maximumVolumeSize"):
        if capacity.get(key) is not None:
            yield from non_negative_quantity(capacity[key], ROOT.child(key))


def _update_capacity(new: Tree, old: Tree) -> Errors:
    for name in ("nodeTopology", "storageClassName"):
        yield from immutable(new.get(name), old.get(name), ROOT.child(name))


def _attachment(attachment: Tree) -> Errors:
    spec = attachment["spec"]
    yield from validate_driver_name(spec.get("attacher", ""), _SPEC.child("attacher"))
    yield from complain(
        _SPEC.child("nodeName"), spec.get("nodeName", ""), names.dns1123_subdomain(spec.get("nodeName", ""))
    )
    source = spec.get("source") or {}
    inline, name = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    path = _SPEC.child("source")
    if inline is None and not name:
        yield field.required(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    elif inline is not None and name is not None:
        yield field.forbidden(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")


def _update_attachment(new: Tree, old: Tree) -> Errors:
    yield from immutable(new["spec"], old["spec"], _SPEC)


RULES: RulesTable = {
    (_GROUP, "csidrivers"): Rules(_driver, _update_driver),
    (_GROUP, "csinodes"): Rules(_node),
    (_GROUP, "csistoragecapacities"): Rules(_capacity, _update_capacity),
    (_GROUP, "volumeattachments"): Rules(_attachment, _update_attachment),
}

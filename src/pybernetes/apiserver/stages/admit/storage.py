"""Volumes and claims: protection while in use, the default class, growing."""

from pybernetes.api.quantity import Quantity
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.defaults import newest_default
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.objects import Objects

PROTECTION = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
    "volumeattributesclasses": "kubernetes.io/vac-protection",
}
DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


class StorageObjectInUseProtection(Plugin):
    """A finalizer keeps what a pod uses; a controller takes it away."""

    name = "StorageObjectInUseProtection"
    operations = frozenset(("CREATE",))
    resources = frozenset(("persistentvolumeclaims", "persistentvolumes", "volumeattributesclasses.storage.k8s.io"))

    async def mutate(self, attributes: Attributes) -> None:
        if attributes.object is None:
            return
        metadata = attributes.object["metadata"]
        finalizer = PROTECTION[attributes.resource.plural]
        finalizers = metadata.get("finalizers") or []
        if finalizer not in finalizers:
            metadata["finalizers"] = [*finalizers, finalizer]


class DefaultStorageClass(Plugin):
    """A claim that names no class gets the default one; the empty name means none."""

    name = "DefaultStorageClass"
    operations = frozenset(("CREATE",))
    resources = frozenset(("persistentvolumeclaims",))

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def mutate(self, attributes: Attributes) -> None:
        claim = attributes.object
        if claim is None or claim["spec"].get("storageClassName") is not None:
            return
        if CLASS_ANNOTATION in (claim["metadata"].get("annotations") or {}):
            return
        default = newest_default(self._objects.list("storage.k8s.io", "storageclasses"), DEFAULT_CLASS)
        if default is not None:
            claim["spec"]["storageClassName"] = default["metadata"]["name"]


class PersistentVolumeClaimResize(Plugin):
    """A claim grows only where its class allows it."""

    name = "PersistentVolumeClaimResize"
    operations = frozenset(("UPDATE",))
    resources = frozenset(("persistentvolumeclaims",))

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def validate(self, attributes: Attributes) -> None:
        new, old = attributes.object, attributes.old
        if new is None or old is None or _size(new) <= _size(old):
            return
        if old.get("status", {}).get("phase") != "Bound":
            raise refuse(attributes, "Only bound persistent volume claims can be expanded")
        if not self._may_grow(old):
            raise refuse(
                attributes,
                "only dynamically provisioned pvc can be resized and "
                "the storageclass that provisions the pvc must support resize",
            )

    def _may_grow(self, claim: Tree) -> bool:
        name = (claim["metadata"].get("annotations") or {}).get(CLASS_ANNOTATION) or claim["spec"].get(
            "storageClassName"
        )
        found = self._objects.get("storage.k8s.io", "storageclasses", "", name) if name else None
        return found is not None and bool(found.get("allowVolumeExpansion"))


def _size(claim: Tree) -> Quantity:
    requests = (claim["spec"].get("resources") or {}).get("requests") or {}
    return Quantity.parse(requests.get("storage", "0"))

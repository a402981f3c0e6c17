"""Which objects the pods of a node refer to: what its kubelet may read."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final, TypeAlias

from pybernetes.api.tree import Tree
from pybernetes.apiserver.stages.authorize.references import references
from pybernetes.apiserver.stages.objects import Objects

Reference: TypeAlias = tuple[str, str, str]
"""Plural, namespace and name."""
MIRROR = "kubernetes.io/config.mirror"
_NAMING_NODES: Final = {"volumeattachments": "storage.k8s.io", "resourceslices": "resource.k8s.io"}
_CLAIMS: Final = ("resourceClaimStatuses", "extendedResourceClaimStatus")
"""What of a pod's status names objects."""


class NodeGraph:
    """References of pods, counted per node; volumes, attachments and slices are looked up when they are asked for."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._held: dict[str, Counter[Reference]] = defaultdict(Counter)

    def change(self, old: Tree | None, new: Tree | None) -> None:
        """Take a pod's change: None before its creation and after its deletion."""
        if old is not None and new is not None and _refer_alike(old, new):
            return  # most changes are of the status
        for node, reference in _edges(old):
            held = self._held[node]
            held[reference] -= 1
            if not held[reference]:
                del held[reference]
        for node, reference in _edges(new):
            self._held[node][reference] += 1

    def reaches(self, node: str, plural: str, namespace: str, name: str) -> bool:
        """Whether a pod of the node refers to the object, or a volume of one does; of what names its node, that."""
        if group := _NAMING_NODES.get(plural):
            found = self._objects.get(group, plural, "", name)
            return found is not None and found["spec"].get("nodeName") == node
        held = self._held.get(node)
        if held is None:
            return False
        if (plural, namespace, name) in held:
            return True
        if plural == "persistentvolumes":
            return self._volume_is_used(held, name)
        return plural == "secrets" and any(
            (namespace, name) == secret for volume in self._volumes(held) for secret in _volume_secrets(volume)
        )

    def _volume_is_used(self, held: Counter[Reference], name: str) -> bool:
        volume = self._objects.get("", "persistentvolumes", "", name)
        claim = ((volume or {}).get("spec") or {}).get("claimRef") or {}
        return ("persistentvolumeclaims", claim.get("namespace", ""), claim.get("name", "")) in held

    def _volumes(self, held: Counter[Reference]) -> Iterator[Tree]:
        for plural, namespace, name in held:
            if plural != "persistentvolumeclaims":
                continue
            claim = self._objects.get("", plural, namespace, name)
            volume_name = ((claim or {}).get("spec") or {}).get("volumeName", "")
            volume = self._objects.get("", "persistentvolumes", "", volume_name) if volume_name else None
            if volume is not None and self._volume_is_used(held, volume_name):
                yield volume


def _refer_alike(old: Tree, new: Tree) -> bool:
    before, after = old.get("status") or {}, new.get("status") or {}
    return all(before.get(field) == after.get(field) for field in _CLAIMS) and bool(old["spec"] == new["spec"])


def _edges(pod: Tree | None) -> Iterator[tuple[str, Reference]]:
    if pod is None:
        return
    node = pod.get("spec", {}).get("nodeName", "")
    if not node:
        return
    metadata = pod["metadata"]
    namespace = metadata.get("namespace", "")
    yield node, ("pods", namespace, metadata["name"])
    # A mirror pod is the kubelet's own word: what it names gives the kubelet no right to it.
    if MIRROR not in (metadata.get("annotations") or {}):
        for plural, name in references(pod):
            if name:
                yield node, (plural, namespace, name)


def _volume_secrets(volume: Tree) -> Iterator[tuple[str, str]]:
    """(namespace, name) of the secrets of a bound volume that kubelets need; what controllers need is not theirs."""
    spec = volume["spec"]
    of_claim = (spec.get("claimRef") or {}).get("namespace", "")
    csi = spec.get("csi") or {}
    for field in ("nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"):
        if secret := csi.get(field):
            yield secret.get("namespace", ""), secret.get("name", "")
    for kind in ("cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"):
        if secret := (spec.get(kind) or {}).get("secretRef"):
            yield secret.get("namespace") or of_claim, secret.get("name", "")
    if file := spec.get("azureFile"):
        yield file.get("secretNamespace") or of_claim, file.get("secretName", "")

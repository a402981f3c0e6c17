"""Which objects the pods of a node refer to: what its kubelet may read."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, TypeAlias

from pybernetes.api.tree import Tree
from pybernetes.apiserver.stages.objects import Objects

Reference: TypeAlias = tuple[str, str, str]
"""Plural, namespace and name."""
MIRROR = "kubernetes.io/config.mirror"


class NodeGraph:
    """References of pods, counted per node; volumes are looked up from their claims when asked for."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._held: dict[str, Counter[Reference]] = defaultdict(Counter)

    def change(self, old: Tree | None, new: Tree | None) -> None:
        """Take a pod's change: None before its creation and after its deletion."""
        if old is not None and new is not None and old["spec"] == new["spec"]:
            return  # most changes are of the status
        for node, reference in _edges(old):
            held = self._held[node]
            held[reference] -= 1
            if not held[reference]:
                del held[reference]
        for node, reference in _edges(new):
            self._held[node][reference] += 1

    def reaches(self, node: str, plural: str, namespace: str, name: str) -> bool:
        """Whether a pod of the node refers to the object, or a volume of one does."""
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


def references(pod: Tree) -> Iterator[tuple[str, str]]:
    """(plural, name) of the objects of its namespace that a pod refers to; one may come twice."""
    spec = pod["spec"]
    yield "serviceaccounts", spec.get("serviceAccountName", "")
    for secret in spec.get("imagePullSecrets") or ():
        yield "secrets", secret.get("name", "")
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            yield from _of_container(container)
    for volume in spec.get("volumes") or ():
        yield from _of_volume(pod["metadata"]["name"], volume)
    for claim in spec.get("resourceClaims") or ():
        yield "resourceclaims", claim.get("resourceClaimName", "")
    for claim in pod.get("status", {}).get("resourceClaimStatuses") or ():
        yield "resourceclaims", claim.get("resourceClaimName", "")


def _of_container(container: Tree) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        yield "secrets", _name(source, "secretRef")
        yield "configmaps", _name(source, "configMapRef")
    for variable in container.get("env") or ():
        value_from = variable.get("valueFrom") or {}
        yield "secrets", _name(value_from, "secretKeyRef")
        yield "configmaps", _name(value_from, "configMapKeyRef")


SECRET_SOURCES = ("azureFile", "cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos")


def _of_volume(pod: str, volume: Tree) -> Iterator[tuple[str, str]]:
    yield "secrets", (volume.get("secret") or {}).get("secretName", "")
    yield "configmaps", _name(volume, "configMap")
    yield "persistentvolumeclaims", (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
    if "ephemeral" in volume:
        yield "persistentvolumeclaims", f"{pod}-{volume['name']}"
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield "secrets", _name(source, "secret")
        yield "configmaps", _name(source, "configMap")
    yield "secrets", _name(volume.get("csi") or {}, "nodePublishSecretRef")
    for kind in SECRET_SOURCES:
        source = volume.get(kind) or {}
        yield "secrets", source.get("secretName", "") or _name(source, "secretRef")


def _name(source: dict[str, Any], field: str) -> str:
    name: str = (source.get(field) or {}).get("name", "")
    return name


def _volume_secrets(volume: Tree) -> Iterator[tuple[str, str]]:
    csi = volume.get("spec", {}).get("csi") or {}
    for field in ("nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef", "controllerPublishSecretRef"):
        if secret := csi.get(field):
            yield secret.get("namespace", ""), secret.get("name", "")

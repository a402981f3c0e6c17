"""Which objects of its namespace a pod refers to."""

from collections.abc import Iterator
from typing import Any, Final

from pybernetes.api.tree import Tree


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
    status = pod.get("status") or {}
    for claim in status.get("resourceClaimStatuses") or ():
        yield "resourceclaims", claim.get("resourceClaimName", "")
    yield "resourceclaims", (status.get("extendedResourceClaimStatus") or {}).get("resourceClaimName", "")


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


_API_VOLUMES: Final = {
    "configMap": "configmaps (via configmap volumes)",
    "secret": "secrets (via secret volumes)",
    "csi": "csidrivers (via CSI volumes)",
    "glusterfs": "endpoints (via glusterFS volumes)",
    "persistentVolumeClaim": "persistentvolumeclaims",
    "ephemeral": "persistentvolumeclaims (via ephemeral volumes)",
    "azureFile": "secrets (via azureFile volumes)",
}
_API_SOURCES: Final = {
    "configMap": "configmaps (via projected volumes)",
    "secret": "secrets (via projected volumes)",
    "serviceAccountToken": "serviceaccounts (via projected volumes)",
    "clusterTrustBundle": "clustertrustbundles",
    "podCertificate": "podcertificates",
}


def refers_to(pod: Tree) -> str:
    """What kind of objects a pod needs of the API, as a kubelet's mirror pods may not; empty for none."""
    found = {plural for plural, name in references(pod) if name}
    for plural in ("serviceaccounts", "secrets", "configmaps"):
        if plural in found:
            return plural
    spec = pod["spec"]
    if spec.get("resourceClaims"):
        return "resourceclaims"
    for volume in spec.get("volumes") or ():
        for field, words in _API_VOLUMES.items():
            if field in volume:
                return words
        for source in (volume.get("projected") or {}).get("sources") or ():
            for field, words in _API_SOURCES.items():
                if field in source:
                    return words
    return ""

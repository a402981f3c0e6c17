"""Tokens that a kubelet asks for: bound to a pod of its node, for audiences that the pod names (KEP-4935)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pybernetes.api.errors import StatusError, not_found
from pybernetes.api.field import quote
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import refuse
from pybernetes.apiserver.stages.authorize.attributes import Attributes as Question
from pybernetes.apiserver.stages.authorize.attributes import Authorizer, decide
from pybernetes.apiserver.stages.objects import Objects

_DRIVERS: Final = {
    "awsElasticBlockStore": "ebs.csi.aws.com",
    "azureDisk": "disk.csi.azure.com",
    "azureFile": "file.csi.azure.com",
    "cinder": "cinder.csi.openstack.org",
    "gcePersistentDisk": "pd.csi.storage.gke.io",
    "portworxVolume": "pxd.portworx.com",
    "vsphereVolume": "csi.vsphere.vmware.com",
}
"""The CSI drivers that serve what used to be volumes of Kubernetes' own."""


class Tokens:
    """`objects` knows pods, volumes and drivers; `authorizer` whether a node may ask for any other audience."""

    def __init__(self, objects: Objects, authorizer: Authorizer) -> None:
        self._objects = objects
        self._authorizer = authorizer

    async def check(self, attributes: Attributes, node: str) -> None:
        """Raises StatusError."""
        if (attributes.operation, attributes.subresource) != ("CREATE", "token"):
            return
        spec = (attributes.object or {}).get("spec") or {}
        pod = self._bound(attributes, node, spec.get("boundObjectRef") or {})
        audiences = spec.get("audiences") or ()
        if len(audiences) > 1:
            raise refuse(attributes, "node may only request 0 or 1 audiences")
        await self._audience(attributes, pod, audiences[0] if audiences else "")

    def _bound(self, attributes: Attributes, node: str, reference: Tree) -> Tree:
        name, uid = reference.get("name"), reference.get("uid")
        if (reference.get("apiVersion"), reference.get("kind")) != ("v1", "Pod") or not name:
            raise refuse(attributes, "node requested token not bound to a pod")
        if not uid:
            raise refuse(attributes, "node requested token with a pod binding without a uid")
        pod = self._objects.get("", "pods", attributes.namespace, name)
        if pod is None:
            raise not_found("", "pod", name)
        if pod["metadata"].get("uid") != uid:
            words = (
                f"the UID in the bound object reference ({uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise refuse(attributes, words)
        if pod["spec"].get("nodeName") != node:
            raise refuse(attributes, "node requested token bound to a pod scheduled on a different node")
        return pod

    async def _audience(self, attributes: Attributes, pod: Tree, audience: str) -> None:
        missing: list[str] = []
        for volume in pod["spec"].get("volumes") or ():
            if _projects(volume, audience):
                return
            try:
                driver = self._driver(pod, volume)
                if driver and self._asks_for(driver, audience):
                    return
            except StatusError as error:
                missing.append(error.message)
        if missing:
            raise refuse(attributes, f"error validating audience {quote(audience)}: {_together(missing)}")
        user = attributes.ctx.user
        verb = "request-serviceaccounts-token-audience"
        question = Question(user, verb, "", "v1", audience, "", attributes.namespace, attributes.name)
        if not (await decide(self._authorizer, question)).allowed:
            words = f"audience {quote(audience)} not found in pod spec volume"
            raise refuse(attributes, f"{words}, {user.name} is not authorized to request tokens for this audience")

    def _driver(self, pod: Tree, volume: Tree) -> str:
        """The CSI driver of a volume, if it has one. Raises StatusError for a claim or volume that is missing."""
        metadata = pod["metadata"]
        if "volumeClaimTemplate" in (volume.get("ephemeral") or {}):
            return self._driver_of_claim(metadata["namespace"], f"{metadata['name']}-{volume['name']}")
        if volume.get("persistentVolumeClaim"):
            return self._driver_of_claim(metadata["namespace"], volume["persistentVolumeClaim"]["claimName"])
        if volume.get("csi"):
            return str(volume["csi"]["driver"])
        return next((driver for field, driver in _DRIVERS.items() if field in volume), "")

    def _driver_of_claim(self, namespace: str, name: str) -> str:
        claim = self._objects.get("", "persistentvolumeclaims", namespace, name)
        if claim is None:
            raise not_found("", "persistentvolumeclaim", name)
        volume_name = (claim.get("spec") or {}).get("volumeName", "")
        volume = self._objects.get("", "persistentvolumes", "", volume_name)
        if volume is None:
            raise not_found("", "persistentvolume", volume_name)
        spec = volume["spec"]
        if spec.get("csi"):
            return str(spec["csi"]["driver"])
        return next((driver for field, driver in _DRIVERS.items() if field in spec), "")

    def _asks_for(self, driver: str, audience: str) -> bool:
        found = self._objects.get("storage.k8s.io", "csidrivers", "", driver)
        if found is None:
            raise not_found("storage.k8s.io", "csidriver", driver)
        requests = (found.get("spec") or {}).get("tokenRequests") or ()
        return any(request.get("audience", "") == audience for request in requests)


def _projects(volume: Tree, audience: str) -> bool:
    tokens = (source.get("serviceAccountToken") for source in (volume.get("projected") or {}).get("sources") or ())
    return any(token is not None and token.get("audience", "") == audience for token in tokens)


def _together(messages: Sequence[str]) -> str:
    """Several errors as one, each once."""
    once = list(dict.fromkeys(messages))
    return once[0] if len(once) == 1 else f"[{', '.join(once)}]"

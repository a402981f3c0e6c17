"""What the simulator writes: each a request whose answer nobody has to decode."""

from __future__ import annotations

import msgspec

from pybernetes.api import errors
from pybernetes.api.tree import Tree
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client
from pybernetes.simulator.node_objects import LEASES
from pybernetes.simulator.view import Pod

_encode = msgspec.json.Encoder().encode
_NODES = "/api/v1/nodes"
_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{LEASES}/leases"


class Writes:
    """Each raises StatusError; what is gone already is no error of a deletion."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create_node(self, node: Tree) -> None:
        await self._client.request("POST", _NODES, body=_encode(node))

    async def patch_node(self, name: str, patch: Tree) -> None:
        await self._patch(f"{_NODES}/{name}", patch)

    async def patch_node_status(self, name: str, status: Tree) -> None:
        """Conditions of others stay; addresses are replaced."""
        whole = (
            {**status, "addresses": [*status["addresses"], {"$patch": "replace"}]} if "addresses" in status else status
        )
        await self._patch(f"{_NODES}/{name}/status", {"status": whole})

    async def renew_lease(self, name: str, renewal: str, lease: Tree) -> None:
        """Moves the renewal time on; makes the lease where there is none."""
        try:
            body = _encode({"spec": {"renewTime": renewal, "holderIdentity": name}})
            await self._client.request("PATCH", f"{_LEASES}/{name}", body=body, content_type=PatchType.MERGE.value)
        except errors.StatusError as error:
            if not errors.is_not_found(error):
                raise
            await self._client.request("POST", _LEASES, body=_encode(lease))

    async def patch_pod_status(self, pod: Pod, status: Tree) -> None:
        """For that very pod only: one of the same name that came after it is refused as a conflict."""
        await self._patch(f"{_path(pod)}/status", {"metadata": {"uid": pod.metadata.uid}, "status": status})

    async def delete_pod(self, pod: Pod) -> None:
        """At once, since its containers have ended."""
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.metadata.uid}}
        try:
            await self._client.request("DELETE", _path(pod), body=_encode(options))
        except errors.StatusError as error:
            if error.code not in (404, 409):
                raise

    async def _patch(self, path: str, patch: Tree) -> None:
        await self._client.request("PATCH", path, body=_encode(patch), content_type=PatchType.STRATEGIC.value)


def _path(pod: Pod) -> str:
    return f"/api/v1/namespaces/{pod.metadata.namespace}/pods/{pod.metadata.name}"

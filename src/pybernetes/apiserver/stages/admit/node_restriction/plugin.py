"""The plugin: which check a write meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from pybernetes.api.field import quote
from pybernetes.api.scheme import Resource
from pybernetes.apiserver.admission import Attributes, Operation
from pybernetes.apiserver.stages.admit.node_restriction.nodes import check_node
from pybernetes.apiserver.stages.admit.node_restriction.others import (
    check_certificate_request,
    check_claim,
    check_csi_node,
    check_lease,
    check_slice,
)
from pybernetes.apiserver.stages.admit.node_restriction.pods import Pods
from pybernetes.apiserver.stages.admit.node_restriction.tokens import Tokens
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.authenticate.user import node_name
from pybernetes.apiserver.stages.authorize.attributes import Authorizer
from pybernetes.apiserver.stages.objects import Objects

Check: TypeAlias = Callable[[Attributes, str], None]
"""Takes a write and the node; raises StatusError."""

_CHECKS: Final[dict[str, Check]] = {
    "nodes": check_node,
    "persistentvolumeclaims": check_claim,
    "leases.coordination.k8s.io": check_lease,
    "csinodes.storage.k8s.io": check_csi_node,
    "resourceslices.resource.k8s.io": check_slice,
    "certificatesigningrequests.certificates.k8s.io": check_certificate_request,
}


class NodeRestriction(Plugin):
    """Sees objects as they were sent, as upstream's does: before they are judged."""

    name = "NodeRestriction"
    resources = frozenset((*_CHECKS, "pods", "serviceaccounts"))
    subresources = frozenset()

    def __init__(self, objects: Objects, authorizer: Authorizer) -> None:
        self._checks = {**_CHECKS, "pods": Pods(objects).check}
        self._tokens = Tokens(objects, authorizer)

    def handles(self, operation: Operation, resource: Resource, subresource: str) -> bool:
        return operation != "CONNECT" and super().handles(operation, resource, subresource)

    async def mutate(self, attributes: Attributes) -> None:
        node = node_name(attributes.ctx.user)
        if node is None:
            return
        if not node:
            raise refuse(attributes, f"could not determine node from user {quote(attributes.ctx.user.name)}")
        if attributes.resource.plural == "serviceaccounts":
            await self._tokens.check(attributes, node)
        else:
            self._checks[attributes.resource.group_resource](attributes, node)

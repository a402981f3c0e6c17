"""What the proxies of this cluster may read beyond what kube-proxy may: they enforce NetworkPolicies."""

from __future__ import annotations

import asyncio

import msgspec

from pybernetes.api.types import meta_v1 as meta
from pybernetes.api.types import rbac_v1 as rbac
from pybernetes.client.informer import Informers
from pybernetes.client.patch import PatchType

NAME, USER = "system:pybernetes:network-policies", "system:kube-proxy"
MANAGER = "pybernetes-cluster"
READ = ["get", "list", "watch"]
ROLE = rbac.ClusterRole(
    metadata=meta.ObjectMeta(name=NAME),
    rules=[
        rbac.PolicyRule(api_groups=["networking.k8s.io"], resources=["networkpolicies"], verbs=READ),
        rbac.PolicyRule(api_groups=[""], resources=["pods", "namespaces"], verbs=READ),
    ],
)
BINDING = rbac.ClusterRoleBinding(
    metadata=meta.ObjectMeta(name=NAME),
    role_ref=rbac.RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=NAME),
    subjects=[rbac.Subject(api_group="rbac.authorization.k8s.io", kind="User", name=USER)],
)


async def run(informers: Informers) -> None:
    """Put the role in place; returns only when cancelled."""
    for obj in (ROLE, BINDING):
        body = msgspec.json.encode(obj)
        await informers.client.patch(type(obj), NAME, "", body, PatchType.APPLY, field_manager=MANAGER, force=True)
    await asyncio.Event().wait()

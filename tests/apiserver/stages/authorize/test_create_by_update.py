"""Who may change objects of a kind makes none by that, unless creating is allowed too."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.apiserver.inprocess import Server, server

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
MAP = "/api/v1/namespaces/default/configmaps/c"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l"
APPLY = {"content-type": "application/apply-patch+yaml"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        rule = {
            "apiGroups": ["", "coordination.k8s.io"],
            "resources": ["configmaps", "leases"],
            "verbs": ["patch", "update"],
        }
        await made.post(f"{RBAC}/roles", {"metadata": {"name": "changer"}, "rules": [rule]})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "changer"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}
        await made.post(f"{RBAC}/rolebindings", {"metadata": {"name": "bob"}, "roleRef": role, "subjects": [subject]})
        yield made


async def test_an_apply(api: Server) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}
    refused = await api.call("PATCH", f"{MAP}?fieldManager=m", config, headers=APPLY, token="bob")
    assert refused.status == 403
    assert 'User "bob" cannot create resource "configmaps"' in refused.message
    assert (await api.get(MAP)).status == 404
    assert (await api.call("PATCH", f"{MAP}?fieldManager=m", config, headers=APPLY)).status == 201
    config["data"] = {"a": "c"}
    assert (
        await api.call("PATCH", f"{MAP}?fieldManager=m&force=true", config, headers=APPLY, token="bob")
    ).status == 200


async def test_a_put(api: Server) -> None:
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    refused = await api.call("PUT", LEASE, lease, token="bob")
    assert refused.status == 403
    assert 'User "bob" cannot create resource "leases"' in refused.message
    made = await api.call("PUT", LEASE, lease)
    assert made.status == 201
    assert made.tree["spec"]["holderIdentity"] == "me"
    assert (await api.call("PUT", MAP, {"metadata": {"name": "c"}})).status == 404

"""Attempts to be somebody else, to get more than one has, and to reach what is another's, each as whole requests."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.apiserver.inprocess import Reply, Server, server

from pybernetes.apiserver.aggregation.backends import identity_headers
from pybernetes.apiserver.kubelets.connection import BackendError, Connection, Head
from pybernetes.apiserver.user import UserInfo

CORE = "/api/v1/namespaces/default"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CERTIFICATES = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
ROLE_KINDS = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        yield made


async def grant(api: Server, name: str, *rules: dict[str, list[str]]) -> None:
    """Give bob a cluster role."""
    made = await api.post(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": list(rules)})
    assert made.status == 201, made.message
    await api.post(f"{RBAC}/clusterrolebindings", binding(name, name))


def binding(name: str, role: str, user: str = "bob") -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    ref = {"apiGroup": group, "kind": "ClusterRole", "name": role}
    return {"metadata": {"name": name}, "roleRef": ref, "subjects": [{"kind": "User", "name": user, "apiGroup": group}]}


@pytest.mark.parametrize("header", ["impersonate-nothing", "impersonate-user", "impersonate-extra", "x-remote-user"])
@pytest.mark.parametrize("value", ["", "admin"])
async def test_strangers_stay_strangers(api: Server, header: str, value: str) -> None:
    """No header makes a member of system:authenticated of them, and no front proxy is believed without a certificate."""
    answer = await api.post(WHO, {}, token="", headers={header: value, "x-remote-group": "system:masters"})
    assert answer.status == 403
    assert '"system:anonymous" cannot' in answer.message


@pytest.mark.parametrize(
    "more",
    [
        {"impersonate-user": "admin"},
        {"impersonate-group": "system:masters"},
        {"impersonate-uid": "admin-uid"},
        {"impersonate-extra-scopes": "all"},
        {"impersonate-extra-a%0d%0ax-remote-group": "system:masters"},
        {"impersonate-user": "system:serviceaccount:kube-system:default"},
        {"impersonate-user": "system:node:n1"},
    ],
)
async def test_impersonation_needs_every_part(api: Server, more: dict[str, str]) -> None:
    await grant(api, "imp", {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["alice"]})  # fmt: skip
    alice = {"impersonate-user": "alice"}
    assert (await api.post(WHO, {}, token="bob", headers=alice)).tree["status"]["userInfo"]["username"] == "alice"
    refused = await api.post(WHO, {}, token="bob", headers=alice | more)
    assert refused.status == 403
    assert 'User "bob" cannot impersonate' in refused.message


async def test_nobody_grants_more_by_any_verb(api: Server) -> None:
    """Roles and bindings, made, replaced or patched in every way."""
    writes = ["create", "update", "patch", "get"]
    await grant(api, "rbac", {"apiGroups": ["rbac.authorization.k8s.io"], "resources": list(ROLE_KINDS), "verbs": writes})  # fmt: skip
    weak = {"metadata": {"name": "weak"}, "rules": []}
    assert (await api.post(f"{RBAC}/clusterroles", weak, token="bob")).status == 201
    strong = {**weak, "rules": [EVERYTHING]}
    path = f"{RBAC}/clusterroles/weak"
    tries: list[Reply] = [
        await api.post(f"{RBAC}/clusterroles", {**strong, "metadata": {"name": "x"}}, token="bob"),
        await api.post(f"{RBAC}/namespaces/default/roles", {**strong, "metadata": {"name": "x"}}, token="bob"),
        await api.call("PUT", path, strong, token="bob"),
        await api.merge(path, {"rules": [EVERYTHING]}, token="bob"),
        await api.merge(path, {"rules": [EVERYTHING]}, token="bob", headers={"content-type": "application/strategic-merge-patch+json"}),
        await api.call("PATCH", path, [{"op": "add", "path": "/rules", "value": [EVERYTHING]}], token="bob", headers={"content-type": "application/json-patch+json"}),
        await api.call("PATCH", f"{path}?fieldManager=m&force=true", {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", **strong}, token="bob", headers={"content-type": "application/apply-patch+yaml"}),
        await api.call("PATCH", f"{RBAC}/clusterroles/new?fieldManager=m", {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", **strong, "metadata": {"name": "new"}}, token="bob", headers={"content-type": "application/apply-patch+yaml"}),
        await api.call("PUT", f"{RBAC}/clusterroles/new", {**strong, "metadata": {"name": "new"}}, token="bob"),
        await api.post(f"{RBAC}/clusterroles", {"metadata": {"name": "agg"}, "aggregationRule": {"clusterRoleSelectors": [{}]}}, token="bob"),
        await api.post(f"{RBAC}/clusterroles", {"metadata": {"name": "urls"}, "rules": [{"nonResourceURLs": ["*"], "verbs": ["*"]}]}, token="bob"),
        await api.post(f"{RBAC}/clusterrolebindings", binding("b", "cluster-admin"), token="bob"),
        await api.post(f"{RBAC}/namespaces/default/rolebindings", binding("b", "cluster-admin"), token="bob"),
        await api.call("PUT", f"{RBAC}/clusterrolebindings/c", binding("c", "cluster-admin"), token="bob"),
        await api.merge(f"{RBAC}/clusterrolebindings/cluster-admin", {"subjects": binding("x", "x")["subjects"]}, token="bob"),
    ]  # fmt: skip
    assert {one.status for one in tries} <= {403, 404}, [one.message[:80] for one in tries]
    assert (await api.get(f"{RBAC}/clusterroles/new")).status == 404
    assert (await api.get(f"{RBAC}/clusterrolebindings/c")).status == 404
    assert not (await api.get(path)).tree["rules"]


def request_for(name: str, *groups: str) -> str:
    """A certificate request in base64, as a CertificateSigningRequest holds it."""
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    names += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    signed = made.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


def certificate() -> str:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    signed = made.not_valid_before(start).not_valid_after(start + timedelta(days=1)).sign(key, hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


async def test_signing_requests(api: Server) -> None:
    """A requester is who they are; nobody asks for system:masters; approving and signing need the signer's verbs."""
    resources = [
        "certificatesigningrequests",
        "certificatesigningrequests/approval",
        "certificatesigningrequests/status",
    ]
    await grant(api, "csr", {"apiGroups": ["certificates.k8s.io"], "resources": resources, "verbs": ["create", "get", "update", "patch"]})  # fmt: skip
    signer, usages = "kubernetes.io/kube-apiserver-client", ["client auth"]
    spec = {"request": request_for("bob", "devs"), "signerName": signer, "usages": usages}
    forged = {"username": "admin", "groups": ["system:masters"], "uid": "x", "extra": {"a": ["b"]}}
    made = await api.post(CERTIFICATES, {"metadata": {"name": "mine"}, "spec": spec | forged}, token="bob")
    assert (made.status, made.tree["spec"]["username"]) == (201, "bob")
    assert "system:masters" not in made.tree["spec"]["groups"]
    for name, group in (("masters", "system:masters"),):
        asked = {"metadata": {"name": name}, "spec": spec | {"request": request_for("bob", group)}}
        assert (await api.post(CERTIFICATES, asked, token="bob")).status == 403
    approved = {"type": "Approved", "status": "True", "reason": "me", "message": ""}
    status = {**made.tree, "status": {"conditions": [approved]}}
    assert (await api.call("PUT", f"{CERTIFICATES}/mine/approval", status, token="bob")).status == 403
    signed = {**made.tree, "status": {"certificate": certificate()}}
    assert (await api.call("PUT", f"{CERTIFICATES}/mine/status", signed, token="bob")).status == 403
    assert not (await api.get(f"{CERTIFICATES}/mine")).tree["status"]


async def test_a_nodes_credentials_stop_at_the_node(api: Server) -> None:
    """What the kubelet of n1 can be made to do against n2 and everybody else."""
    for name in ("n1", "n2"):
        await api.post("/api/v1/nodes", {"metadata": {"name": name}})
    await api.post(f"{CORE}/secrets", {"metadata": {"name": "secret"}})
    await api.pod("theirs", nodeName="n2")
    lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    pod = {"metadata": {"name": "evil"}, "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}}
    tries: list[tuple[str, str, Any]] = [
        ("GET", f"{CORE}/secrets", None),
        ("GET", f"{CORE}/secrets/secret", None),
        ("GET", f"{CORE}/secrets?fieldSelector=metadata.name%3Dsecret", None),
        ("GET", f"{CORE}/secrets?watch=1&fieldSelector=metadata.name%3Dsecret", None),
        ("GET", "/api/v1/pods", None),
        ("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn2", None),
        ("GET", "/api/v1/pods?fieldSelector=spec.nodeName!%3Dn1", None),
        ("GET", f"{CORE}/pods/theirs", None),
        ("DELETE", f"{CORE}/pods/theirs", None),
        ("POST", f"{CORE}/pods/theirs/eviction", {"metadata": {"name": "theirs"}}),
        ("POST", f"{CORE}/pods/theirs/binding", {"target": {"kind": "Node", "name": "n1"}}),
        ("POST", f"{CORE}/pods", pod),
        ("GET", f"{CORE}/pods/theirs/log", None),
        ("POST", f"{CORE}/pods/theirs/exec?command=id", None),
        ("GET", "/api/v1/nodes/n2/proxy/pods", None),
        ("GET", "/api/v1/nodes/n1/proxy/pods", None),
        ("DELETE", "/api/v1/nodes/n2", None),
        ("POST", f"{CORE}/serviceaccounts/default/token", {"spec": {}}),
        ("POST", f"{CORE}/configmaps", {"metadata": {"name": "c"}}),
        ("PUT", f"{lease}/n2", {"metadata": {"name": "n2"}}),
        ("POST", lease, {"metadata": {"name": "n2"}}),
        ("POST", f"{RBAC}/clusterrolebindings", binding("x", "cluster-admin", "system:node:n1")),
        ("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", {"metadata": {"name": "x"}, "spec": {}}),
    ]
    for method, path, body in tries:
        refused = await api.call(method, path, body, token="node")
        assert refused.status == 403, (method, path, refused.tree)
    patches = [
        ("/api/v1/nodes/n2", {"metadata": {"labels": {"a": "b"}}}),
        ("/api/v1/nodes/n2/status", {"status": {"phase": "x"}}),
        ("/api/v1/nodes/n1", {"metadata": {"labels": {"node-restriction.kubernetes.io/x": "y"}}}),
        ("/api/v1/nodes/n1", {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}),
        ("/api/v1/nodes/n1", {"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}),
        ("/api/v1/nodes/n1", {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n2", "uid": "u"}]}}),
        (f"{CORE}/pods/theirs/status", {"status": {"phase": "Failed"}}),
    ]  # fmt: skip
    for path, body in patches:
        refused = await api.merge(path, body, token="node")
        assert refused.status == 403, (path, refused.tree)


async def test_tokens_of_a_node_end_with_it(api: Server) -> None:
    """Bound to the very node: neither its deletion nor another node of its name leaves them of use."""

    async def is_known(token: str) -> bool:
        answer = await api.get(f"{CORE}/pods", token=token)
        assert answer.status in (401, 403), answer.tree
        return answer.status == 403

    async def token(kind: str, name: str, **more: str) -> Reply:
        spec = {"boundObjectRef": {"kind": kind, "apiVersion": "v1", "name": name, **more}}
        return await api.post(f"{CORE}/serviceaccounts/default/token", {"spec": spec})

    node = (await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}})).tree
    await api.pod("p", nodeName="n1")
    of_node = (await token("Node", "n1")).tree["status"]["token"]
    of_pod = (await token("Pod", "p")).tree["status"]["token"]
    assert await is_known(of_node)
    assert await is_known(of_pod)
    me = (await api.post(WHO, {}, token=of_pod)).tree["status"]["userInfo"]["extra"]
    assert me["authentication.kubernetes.io/node-uid"] == [node["metadata"]["uid"]]
    await api.delete("/api/v1/nodes/n1")
    assert not await is_known(of_node)
    again = (await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}})).tree
    assert again["metadata"]["uid"] != node["metadata"]["uid"]
    assert not await is_known(of_node)
    assert (await token("Node", "n1", uid=node["metadata"]["uid"])).status == 409
    assert await is_known(of_pod)
    await api.delete(f"{CORE}/pods/p?gracePeriodSeconds=0")
    assert not await is_known(of_pod)
    await api.pod("p", nodeName="n1")
    assert not await is_known(of_pod)
    review = await api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": of_node}})
    assert review.tree["status"].get("authenticated") is None
    assert "invalidated" in review.tree["status"]["error"]


async def test_credentials_of_a_deleted_node_reach_nothing_of_its_pods(api: Server) -> None:
    """Its certificate names it for as long as it lasts; what it may read goes with its pods."""
    await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}})
    await api.post(f"{CORE}/secrets", {"metadata": {"name": "secret"}})
    volumes = [{"name": "v", "secret": {"secretName": "secret"}}]
    pod = (await api.pod("p", nodeName="n1", volumes=volumes)).tree
    assert (await api.get(f"{CORE}/secrets/secret", token="node")).status == 200
    await api.delete("/api/v1/nodes/n1")
    await api.delete(f"{CORE}/pods/p?gracePeriodSeconds=0")
    bound = {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod["metadata"]["uid"]}}
    for method, path, body in (
        ("GET", f"{CORE}/secrets/secret", None),
        ("GET", f"{CORE}/secrets?fieldSelector=metadata.name%3Dsecret", None),
        ("POST", f"{CORE}/serviceaccounts/default/token", {"spec": bound}),
        ("POST", f"{CORE}/serviceaccounts/default/token", {"spec": {}}),
    ):
        refused = await api.call(method, path, body, token="node")
        assert refused.status == 403, (path, refused.tree)


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_forged_tokens(api: Server) -> None:
    """Without a key: no algorithm, the public key as a secret, another audience, claims or characters."""
    made = await api.post(f"{CORE}/serviceaccounts/default/token", {"spec": {"audiences": ["elsewhere"]}})
    foreign = made.tree["status"]["token"]
    good = (await api.post(f"{CORE}/serviceaccounts/default/token", {"spec": {}})).tree["status"]["token"]
    head, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    admin = segment({**claims, "sub": "system:serviceaccount:kube-system:admin"})
    forged = [
        foreign,
        f"{segment({'alg': 'none'})}.{payload}.",
        f"{segment({'alg': 'None', 'kid': ''})}.{payload}.{signature}",
        f"{segment({'alg': 'HS256'})}.{payload}.{signature}",
        f"{head}.{admin}.{signature}",
        f"{head}.{segment({**claims, 'exp': 10**12})}.{signature}",
        f"{segment({'alg': ['none']})}.{payload}.{signature}",
        f"{head}.{payload}.",
        f"{head}.{payload}.{signature}.x",
        f"{head}é.{payload}.{signature}",
        f"{head}.{payload}.{signature[:-6]}AAAAAA",
        segment({"iss": "x" * 100_000}) * 2,
        "..",
        "a.b.c",
    ]
    assert (await api.get(f"{CORE}/pods", token=good)).status == 403
    for token in forged:
        assert (await api.get(f"{CORE}/pods", token=token)).status == 401, token[:200]
    await api.delete(f"{CORE}/serviceaccounts/default")
    assert (await api.get(f"{CORE}/pods", token=good)).status == 401


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "0.0.0.0", "localhost"])
async def test_a_node_cannot_point_the_proxy_at_this_machine(api: Server, address: str) -> None:
    """CVE-2020-8561 and its kind: but for the kubelet's own port, whose certificate is checked."""
    status = {"addresses": [{"type": "InternalIP", "address": address}], "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}  # fmt: skip
    await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}, "status": status})
    await api.merge("/api/v1/nodes/n1/status", {"status": status})
    refused = await api.get("/api/v1/nodes/n1:2379/proxy/latest/")
    assert (refused.status, refused.message) == (400, "address not allowed")


async def test_names_never_become_headers(api: Server) -> None:
    """An aggregated API believes what the front proxy says: who may call themselves what they like cannot add to it."""
    user = UserInfo("bob\r\nX-Remote-Group: system:masters", groups=("g",), extra={"a\r\nx-remote-group: b": ["c"], "acme.com/x": ["d"]})  # fmt: skip
    names = [name for name, _ in identity_headers(user)]
    assert names == ["X-Remote-User", "X-Remote-Group", "X-Remote-Extra-a%0D%0Ax-remote-group%3A%20b", "X-Remote-Extra-acme.com%2Fx"]  # fmt: skip
    writer = cast(asyncio.StreamWriter, None)
    with pytest.raises(BackendError, match="invalid header"):
        await Connection(asyncio.StreamReader(), writer).send("GET", "/", "x", identity_headers(user))


@pytest.mark.parametrize("length", ["-5", "+5", "1_0", "0x5", "²", " ", "9" * 40])
async def test_lengths_that_a_pod_makes_up(length: str) -> None:
    """A negative one would have read all that the pod sends into memory."""
    reader = asyncio.StreamReader()
    reader.feed_data(length.encode() + b"\r\n" + b"x" * 1000)
    reader.feed_eof()
    backend = Connection(reader, cast(asyncio.StreamWriter, None))
    for headers in ([("Content-Length", length)], [("Transfer-Encoding", "chunked")]):
        with pytest.raises(BackendError, match="malformed"):
            await backend.read_text(Head(200, headers), 100)

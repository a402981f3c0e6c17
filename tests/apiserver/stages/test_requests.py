"""Who asks and what they may, seen through whole requests."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.apiserver.inprocess import Server, server

from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Request, Response
from pybernetes.apiserver.request_info import parse
from pybernetes.apiserver.stages.deadline import Deadline
from pybernetes.apiserver.stages.limit import Limit
from pybernetes.apiserver.user import UserInfo

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
CORE = "/api/v1/namespaces/default"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        yield made


async def grant(api: Server, user: str, *rules: dict[str, list[str]], name: str = "r") -> None:
    await api.post(f"{RBAC}/roles", {"metadata": {"name": name}, "rules": list(rules)})
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    await api.post(f"{RBAC}/rolebindings", {"metadata": {"name": name}, "roleRef": ref, "subjects": [subject]})


async def test_nobody_may_anything_until_a_binding_says_so(api: Server) -> None:
    refused = await api.get(f"{CORE}/pods", token="bob")
    assert (refused.status, refused.message) == (
        403,
        'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"',
    )
    await grant(api, "bob", {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]})
    assert (await api.get(f"{CORE}/pods", token="bob")).status == 200
    assert (await api.get("/api/v1/pods", token="bob")).status == 403
    await api.delete(f"{RBAC}/rolebindings/r")
    assert (await api.get(f"{CORE}/pods", token="bob")).status == 403


async def test_tokens(api: Server) -> None:
    assert (await api.get(f"{CORE}/pods", token="wrong")).status == 401
    assert (await api.get(f"{CORE}/pods", token="")).status == 403
    await api.pod("p", nodeName="n1")
    spec = {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"}}
    made = (await api.post(f"{CORE}/serviceaccounts/default/token", {"spec": spec})).tree
    token = made["status"]["token"]
    assert made["status"]["expirationTimestamp"] == "2026-01-01T01:00:00Z"
    me = await api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, token=token)
    assert me.tree["status"]["userInfo"]["username"] == "system:serviceaccount:default:default"
    assert me.tree["status"]["userInfo"]["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
    review = await api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    assert review.tree["status"]["authenticated"] is True
    await api.delete(f"{CORE}/pods/p?gracePeriodSeconds=0")
    assert (await api.get(f"{CORE}/pods", token=token)).status == 401
    review = await api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    assert "authenticated" not in review.tree["status"]
    short = await api.post(f"{CORE}/serviceaccounts/default/token", {"spec": {"expirationSeconds": 1}})
    assert "may not specify a duration less than 10 minutes" in short.message


async def test_a_kubelet_gets_tokens_for_its_own_pods_only(api: Server) -> None:
    await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}})
    mine, other = (await api.pod("mine", nodeName="n1")).tree, (await api.pod("other", nodeName="n2")).tree

    def bound(pod: dict[str, dict[str, str]]) -> dict[str, object]:
        metadata = pod["metadata"]
        return {
            "spec": {
                "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
            }
        }

    path = f"{CORE}/serviceaccounts/default/token"
    assert (await api.post(path, bound(mine), token="node")).status == 201
    refused = await api.post(path, bound(other), token="node")
    assert "node requested token bound to a pod scheduled on a different node" in refused.message
    assert (await api.post(path, {}, token="node")).status == 403


async def test_impersonation(api: Server) -> None:
    as_bob = {"impersonate-user": "bob", "impersonate-group": "devs"}
    me = await api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, headers=as_bob)
    assert me.tree["status"]["userInfo"] == {"username": "bob", "groups": ["devs", "system:authenticated"]}
    assert (await api.get(f"{CORE}/pods", headers=as_bob)).status == 403
    refused = await api.get(f"{CORE}/pods", token="bob", headers={"impersonate-user": "admin"})
    assert refused.message == (
        'pods is forbidden: User "bob" cannot impersonate-on:user-info:list resource "pods" in API group "" in the '
        'namespace "default"'
    )
    assert (await api.get(f"{CORE}/pods", headers={"impersonate-group": "g"})).status == 400


async def test_constrained_impersonation_is_for_some_requests_only(api: Server) -> None:
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    rules = [
        {"apiGroups": ["authentication.k8s.io"], "resources": ["users"], "verbs": ["impersonate:user-info"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["impersonate-on:user-info:list"]},
    ]
    names = [
        ("bob-acts", "bob", rules),
        ("jane-reads", "jane", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]),
    ]
    for name, user, granted in names:
        await api.post(f"{rbac}/clusterroles", {"metadata": {"name": name}, "rules": granted})
        subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        reference = {"kind": "ClusterRole", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        await api.post(
            f"{rbac}/clusterrolebindings", {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
        )
    as_jane = {"impersonate-user": "jane"}
    assert (await api.get(f"{CORE}/pods", token="bob", headers=as_jane)).status == 200
    refused = await api.get(f"{CORE}/pods/x", token="bob", headers=as_jane)
    assert (refused.status, "impersonate-on:user-info:get" in refused.message) == (403, True)
    masters = as_jane | {"impersonate-group": "system:masters"}
    assert (await api.get(f"{CORE}/pods", token="bob", headers=masters)).status == 403


async def test_access_reviews(api: Server) -> None:
    await grant(api, "bob", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    asked = {"verb": "get", "resource": "pods", "namespace": "default"}
    path = f"{AUTHORIZATION}/subjectaccessreviews"
    answer = await api.post(path, {"spec": {"user": "bob", "resourceAttributes": asked}})
    assert answer.tree["status"] == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "r/default" of Role "r" to User "bob"',
    }
    own = await api.post(
        f"{AUTHORIZATION}/selfsubjectaccessreviews",
        {"spec": {"resourceAttributes": asked | {"verb": "list"}}},
        token="bob",
    )
    assert own.tree["status"] == {"allowed": False}
    assert (await api.post(path, {"spec": {"user": "bob"}})).status == 422
    rules = await api.post(f"{AUTHORIZATION}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}}, token="bob")
    assert {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]} in rules.tree["status"]["resourceRules"]


async def test_roles_cannot_grant_more_than_their_maker_has(api: Server) -> None:
    group = ["rbac.authorization.k8s.io"]
    await grant(api, "bob", {"apiGroups": group, "resources": ["roles", "rolebindings"], "verbs": ["create"]})
    strong = {"metadata": {"name": "x"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    refused = await api.post(f"{RBAC}/roles", strong, token="bob")
    assert refused.status == 403
    assert refused.message.endswith('not currently held:\n{APIGroups:["*"], Resources:["*"], Verbs:["*"]}')
    subjects = [{"kind": "User", "name": "bob", "apiGroup": group[0]}]
    ref = {"apiGroup": group[0], "kind": "ClusterRole", "name": "cluster-admin"}
    body = {"metadata": {"name": "b"}, "roleRef": ref, "subjects": subjects}
    assert (await api.post(f"{RBAC}/rolebindings", body, token="bob")).status == 403


async def test_the_audit_log_tells_who_did_what(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n"
        "- level: None\n  users: [admin]\n- level: Request\n  resources: [{group: '', resources: [configmaps]}]\n"
        "- level: Metadata\n"
    )
    log = tmp_path / "audit" / "audit.log"
    async with server(tmp_path, f"--audit-policy-file={policy}", f"--audit-log-path={log}") as api:
        await api.post(f"{CORE}/configmaps", {"metadata": {"name": "c"}}, token="bob")
        await api.get("/api/v1/nodes", token="bob")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(event["level"], event["verb"], event["user"]["username"]) for event in events] == [
        ("Request", "create", "bob"),
        ("Metadata", "list", "bob"),
    ]
    assert "requestObject" not in events[0]  # refused before anybody has read it
    assert events[0]["responseStatus"]["code"] == 403
    assert events[0]["objectRef"] == {"resource": "configmaps", "namespace": "default", "apiVersion": "v1"}
    assert "requestObject" not in events[1]
    assert log.stat().st_mode & 0o777 == 0o600


async def test_no_more_requests_at_once_than_the_limit() -> None:
    limit = Limit(reads=1, writes=1)

    def context(method: str, *groups: str) -> RequestContext:
        info = parse(method, "/api/v1/pods/x")
        return RequestContext(None, info, None, UserInfo("u", groups=groups))  # type: ignore[arg-type]

    async def nested(ctx: RequestContext) -> Answer:
        assert (await limit(context("POST"), answer)).status == 200
        assert (await limit(context("GET", "system:masters"), answer)).status == 200
        refused = await limit(context("GET"), answer)
        assert refused.status == 429
        assert ("retry-after", "1") in refused.headers
        return Response(200)

    async def answer(ctx: RequestContext) -> Answer:
        return Response(200)

    assert (await limit(context("GET"), nested)).status == 200
    assert (await limit(context("GET"), answer)).status == 200


async def test_a_request_ends_when_its_client_says(api: Server) -> None:
    for text, why in (("soon", "invalid duration"), ("5", "missing unit in duration")):
        refused = await api.get(f"/version?timeout={text}")
        words = f'invalid timeout specified in the request URL - time: {why} "{text}"'
        assert (refused.status, refused.message) == (400, words)
    for text in ("0s", "3m", "32s", ""):
        assert (await api.get(f"/version?timeout={text}")).status == 200


async def test_what_lasts_longer_than_its_client_wants_is_given_up() -> None:
    given_up: list[str] = []

    async def forever(ctx: RequestContext) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.append(ctx.request.path)
        raise AssertionError("unreachable")

    request = Request("GET", "/api/v1/pods", "timeout=1ms", [], None)  # type: ignore[arg-type]
    ctx = RequestContext(request, parse("GET", "/api/v1/pods"), None)  # type: ignore[arg-type]
    answer = await Deadline(60.0)(ctx, forever)
    assert isinstance(answer, Response)
    assert (answer.status, answer.content_type) == (504, "text/plain; charset=utf-8")
    words = '"message":"Timeout: request did not complete within the allotted timeout","reason":"Timeout"'
    assert answer.body == b'{"metadata":{},"status":"Failure",%b,"details":{},"code":504}\n' % words.encode()
    assert given_up == ["/api/v1/pods"]

"""Authorizers elsewhere: asked in their turn, by conditions, remembered for a while, refused by policy when they fail."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import TOKENS, Server, server

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.assembly import started
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.http.message import Answer, Request, Response
from pybernetes.apiserver.http.server import HTTPServer, serving
from pybernetes.apiserver.options import parse
from pybernetes.apiserver.stages.authorize.configuration import load
from pybernetes.apiserver.storage import open_backend

CORE = "/api/v1/namespaces/default"
HEAD = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration"}


@dataclass
class Webhook:
    """Answers with `status`; `asked` are the reviews' specs."""

    kubeconfig: Path
    status: dict[str, Any] = field(default_factory=lambda: {"allowed": True, "reason": "the webhook says so"})
    asked: list[dict[str, Any]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    """Codes of the answers to come, before the good ones."""
    version: str = "v1"

    async def __call__(self, request: Request) -> Answer:
        review = json.loads(await request.body())
        assert (review["kind"], review["apiVersion"]) == ("SubjectAccessReview", f"authorization.k8s.io/{self.version}")
        self.asked.append(review["spec"])
        code = self.failures.pop(0) if self.failures else 200
        return Response(code, json.dumps({"status": self.status}).encode())

    def settings(self, **more: Any) -> dict[str, Any]:
        made = {
            "timeout": "3s", "authorizedTTL": "1m", "unauthorizedTTL": "10s", "subjectAccessReviewVersion": "v1",
            "matchConditionSubjectAccessReviewVersion": "v1", "failurePolicy": "NoOpinion",
            "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": str(self.kubeconfig)},
        }  # fmt: skip
        return {"type": "Webhook", "name": "hook", "webhook": made | more}


@pytest.fixture
async def webhook(tmp_path: Path) -> AsyncIterator[Webhook]:
    made = Webhook(tmp_path / "hook.kubeconfig")
    async with open_scope("hook") as scope, serving(HTTPServer(made, scope, max_body=1 << 20)) as listening:
        port = await listening.listen("127.0.0.1", 0, None)
        config = {
            "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}/authorize"}}],
        }  # fmt: skip
        made.kubeconfig.write_text(json.dumps(config))
        yield made


@asynccontextmanager
async def running(tmp_path: Path, *authorizers: dict[str, Any]) -> AsyncIterator[Server]:
    tokens, file = tmp_path / "tokens.csv", tmp_path / "authorization.yaml"
    tokens.write_text(TOKENS)
    file.write_text(json.dumps(HEAD | {"authorizers": list(authorizers)}))
    options = parse([f"--token-auth-file={tokens}", f"--authorization-config={file}", "--secure-port=1"])
    backend = await open_backend("sqlite::memory:")
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    try:
        async with open_scope("test") as scope, started(options, backend, scope, clock) as handler:
            yield Server(handler, clock)
    finally:
        await backend.close()


RBAC = {"type": "RBAC", "name": "rbac"}


async def metrics_of(api: Server) -> str:
    answer = await api.raw("GET", "/metrics")
    assert isinstance(answer, Response)
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


async def test_the_webhook_is_asked_where_those_before_it_say_nothing(tmp_path: Path, webhook: Webhook) -> None:
    async with running(tmp_path, RBAC, webhook.settings()) as api:
        assert (await api.get(f"{CORE}/configmaps")).status == 200
        assert webhook.asked == []  # the administrator needs nobody
        assert (await api.get(f"{CORE}/pods/p/log", token="bob")).status == 404
        assert webhook.asked == [
            {
                "user": "bob", "uid": "bob-uid", "groups": ["system:authenticated"],
                "resourceAttributes": {
                    "namespace": "default", "verb": "get", "version": "v1", "resource": "pods", "subresource": "log",
                    "name": "p",
                },
            }
        ]  # fmt: skip
        await api.get(f"{CORE}/pods/p/log", token="bob")
        assert len(webhook.asked) == 1
        await api.clock.advance(61)
        webhook.status = {"allowed": False, "reason": "not any more"}
        refused = await api.get(f"{CORE}/pods/p/log", token="bob")
        assert (refused.status, refused.message.rpartition(": ")[2]) == (403, "not any more")
        assert len(webhook.asked) == 2
        await api.get("/logs/x", token="bob")
        assert webhook.asked[-1]["nonResourceAttributes"] == {"path": "/logs/x", "verb": "get"}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
        webhook.status = {"allowed": True, "reason": "yes"}
        asked = review | {"spec": {"user": "eve", "resourceAttributes": {"verb": "get", "resource": "nodes"}}}
        told = await api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", asked)
        assert told.tree["status"] == {"allowed": True, "reason": "yes"}


async def test_nobody_knows_all_that_a_webhook_allows(tmp_path: Path, webhook: Webhook) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": "default"},
    }
    for authorizers, told in (
        ([RBAC], (False, None)),
        ([RBAC, webhook.settings()], (True, "webhook authorizer does not support user rule resolution")),
    ):
        async with running(tmp_path, *authorizers) as api:
            status = (await api.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)).tree["status"]
            assert (status["incomplete"], status.get("evaluationError")) == told
            assert {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]} in status["resourceRules"]


async def test_a_webhook_before_others_may_forbid(tmp_path: Path, webhook: Webhook) -> None:
    condition = {"expression": "has(request.resourceAttributes) && request.resourceAttributes.namespace == 'default'"}
    hook = webhook.settings(failurePolicy="Deny", matchConditions=[condition])
    async with running(tmp_path, hook, {"type": "AlwaysAllow", "name": "alwaysallow"}) as api:
        webhook.status = {"allowed": False, "denied": True, "reason": "never"}
        refused = await api.get(f"{CORE}/configmaps", token="bob")
        assert (refused.status, refused.message.endswith(": never")) == (403, True)
        assert (await api.get("/api/v1/namespaces/kube-system/configmaps", token="bob")).status == 200
        assert len(webhook.asked) == 1
        webhook.status = {"allowed": False}  # no opinion: the next one decides
        assert (await api.get(f"{CORE}/secrets", token="bob")).status == 200
        webhook.failures = [403]
        assert (await api.get(f"{CORE}/services", token="bob")).status == 403
    async with running(tmp_path, webhook.settings(), {"type": "AlwaysAllow", "name": "alwaysallow"}) as api:
        webhook.failures = [403]
        assert (await api.get(f"{CORE}/services", token="bob")).status == 200  # NoOpinion
        told = await metrics_of(api)
        assert 'apiserver_authorization_webhook_evaluations_total{name="hook",result="error"} 1' in told
        assert 'apiserver_authorization_webhook_evaluations_fail_open_total{name="hook",result="error"} 1' in told


async def test_a_webhook_in_trouble_is_asked_again(tmp_path: Path, webhook: Webhook) -> None:
    async with running(tmp_path, RBAC, webhook.settings()) as api, asyncio.TaskGroup() as tasks:
        webhook.failures = [500, 429]
        asked = tasks.create_task(api.get(f"{CORE}/configmaps?fieldSelector=metadata.name!=x&labelSelector=a,b in (c),d!=e", token="bob"))  # fmt: skip
        while not asked.done():
            await asyncio.sleep(0.01)
            await api.clock.advance(1)
        assert (asked.result().status, len(webhook.asked)) == (200, 3)
        attributes = webhook.asked[2]["resourceAttributes"]
        assert attributes["fieldSelector"] == {"requirements": [{"key": "metadata.name", "operator": "NotIn", "values": ["x"]}]}  # fmt: skip
        assert attributes["labelSelector"]["requirements"] == [
            {"key": "a", "operator": "Exists"},
            {"key": "b", "operator": "In", "values": ["c"]},
            {"key": "d", "operator": "NotIn", "values": ["e"]},
        ]


async def test_flags_name_a_webhook(tmp_path: Path, webhook: Webhook) -> None:
    webhook.version = "v1beta1"
    flags = ("--authorization-mode=Webhook", f"--authorization-webhook-config-file={webhook.kubeconfig}")
    async with server(tmp_path, *flags, "--authorization-webhook-cache-authorized-ttl=0s") as api:
        for _ in range(2):
            assert (await api.get(f"{CORE}/configmaps", token="bob")).status == 200
        assert len(webhook.asked) == 2
        assert webhook.asked[0]["group"] == ["system:authenticated"]
        assert "groups" not in webhook.asked[0]
    for wrong, words in (
        (("--authorization-mode=Webhook",), "authorization-mode Webhook's authorization config file not passed"),
        ((flags[1],), "cannot specify --authorization-webhook-config-file without mode Webhook"),
        ((*flags, "--authorization-webhook-version=v2"), 'unsupported webhook authorizer version "v2", supported versions are "v1", "v1beta1"'),
        (("--authorization-mode=RBAC",), 'authorization-mode ["Node" "RBAC" "RBAC"] has mode specified more than once'),
        (("--authorization-mode=Cedar",), 'authorization-mode "Cedar" is not a valid mode'),
    ):  # fmt: skip
        with pytest.raises(ConfigurationError) as caught:
            async with server(tmp_path, *wrong):
                pass
        assert str(caught.value) == words


async def test_a_changed_file_is_used_and_a_wrong_one_is_not(tmp_path: Path, webhook: Webhook) -> None:
    file = tmp_path / "authorization.yaml"

    async def told(api: Server, status: str, times: int) -> str:
        """The metrics, once there have been so many reloads."""
        while True:
            text = await metrics_of(api)
            found = re.search(
                rf'automatic_reloads_total{{status="{status}",apiserver_id_hash="sha256:\w+"}} (\d+)', text
            )
            if found and int(found[1]) >= times:
                return text
            await api.clock.settle()

    async with running(tmp_path, RBAC) as api:
        await api.clock.settle()
        first = await metrics_of(api)
        assert (await api.get(f"{CORE}/configmaps", token="bob")).status == 403
        replace(file, RBAC, webhook.settings())
        text = await told(api, "success", 1)
        info = re.compile(r'apiserver_authorization_config_controller_last_config_info{.*hash="(sha256:\w+)"} 1')
        assert info.findall(text)[0] == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
        assert info.findall(text) != info.findall(first)
        assert (await api.get(f"{CORE}/configmaps", token="bob")).status == 200
        for times, wrong in enumerate(([webhook.settings()], [RBAC, {"type": "Node", "name": "node"}], []), start=1):
            replace(file, *wrong)
            await told(api, "failure", times)
            assert (await api.get(f"{CORE}/configmaps", token="bob")).status == 200
        replace(file, RBAC)
        await told(api, "success", 2)
        assert (await api.get(f"{CORE}/configmaps", token="bob")).status == 403


def replace(file: Path, *authorizers: dict[str, Any]) -> None:
    """Put another configuration there at once, as those who care do."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(HEAD | {"authorizers": list(authorizers)}))
    new.rename(file)


@pytest.mark.parametrize(
    ("authorizers", "words"),
    [
        ([], "authorizers: Required value: at least one authorization mode must be defined"),
        ([{"type": "Cedar", "name": "x"}], 'authorizers[0].type: Unsupported value: "Cedar"'),
        ([RBAC, RBAC], 'authorizers[1].type: Duplicate value: "RBAC"'),
        ([{"type": "RBAC"}], "authorizers[0].name: Required value"),
        ([{"type": "Webhook", "name": "x"}], "authorizers[0].webhook: Required value: required when type=Webhook"),
        ([{"type": "RBAC", "name": "x"}], "expected name rbac for authorizer RBAC instead of x"),
        ([{"type": "Webhook", "name": "X!"}], 'authorizers[0].name: Invalid value: "X!": authorizer name is invalid: a lowercase RFC 1123 subdomain'),
        ([{"type": "Webhook", "name": "x", "webhook": {"connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "/none"}}}], 'authorizers[0].connectionInfo.kubeConfigFile: Invalid value: "/none": error loading file: stat /none: no such file or directory'),
        ([{"type": "Webhook", "name": "x", "webhook": {"timeout": "1m"}}], 'authorizers[0].timeout: Invalid value: "1m": must be > 0s and <= 30s'),
        ([{"type": "Webhook", "name": "x", "webhook": {"failurePolicy": "Maybe"}}], 'authorizers[0].failurePolicy: Unsupported value: "Maybe": supported values: "NoOpinion", "Deny"'),
        ([{"type": "Webhook", "name": "x", "webhook": {"matchConditions": [{"expression": "request."}]}}], "authorizers[0].matchConditions[0].expression: Invalid value: \"request.\": compilation failed"),
        ([{"type": "RBAC", "name": "x", "webhook": {}}], 'authorizers[0].webhook: Invalid value: "non-null": may only be specified when type=Webhook'),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_told(authorizers: list[dict[str, Any]], words: str, tmp_path: Path) -> None:
    file = tmp_path / "authorization.yaml"
    file.write_text(json.dumps(HEAD | {"authorizers": authorizers}))
    with pytest.raises(ConfigurationError) as caught:
        load(str(file))
    assert words in str(caught.value)

"""Authorizers elsewhere: asked in their turn, by conditions, remembered for a while, refused by policy when they fail."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import TOKENS, Server

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.http.message import Answer, Request, Response
from pybernetes.apiserver.http.server import HTTPServer, serving
from pybernetes.apiserver.main import started
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

    async def __call__(self, request: Request) -> Answer:
        self.asked.append(json.loads(await request.body())["spec"])
        return Response(200 if self.status else 500, json.dumps({"status": self.status}).encode())

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


async def test_a_webhook_before_others_may_forbid(tmp_path: Path, webhook: Webhook) -> None:
    condition = {"expression": "has(request.resourceAttributes) && request.resourceAttributes.namespace == 'default'"}
    hook = webhook.settings(failurePolicy="Deny", matchConditions=[condition])
    async with running(tmp_path, hook, {"type": "AlwaysAllow", "name": "all"}) as api:
        webhook.status = {"allowed": False, "denied": True, "reason": "never"}
        refused = await api.get(f"{CORE}/configmaps", token="bob")
        assert (refused.status, refused.message.endswith(": never")) == (403, True)
        assert (await api.get("/api/v1/namespaces/kube-system/configmaps", token="bob")).status == 200
        assert len(webhook.asked) == 1
        webhook.status = {"allowed": False}  # no opinion: the next one decides
        assert (await api.get(f"{CORE}/secrets", token="bob")).status == 200
        webhook.status = {}
        assert (await api.get(f"{CORE}/services", token="bob")).status == 403
    async with running(tmp_path, webhook.settings(), {"type": "AlwaysAllow", "name": "all"}) as api:
        assert (await api.get(f"{CORE}/services", token="bob")).status == 200  # NoOpinion


@pytest.mark.parametrize(
    ("authorizers", "words"),
    [
        ([], "authorizers: Required value: at least one authorization mode must be defined"),
        ([{"type": "Cedar", "name": "x"}], 'authorizers[0].type: Unsupported value: "Cedar"'),
        ([RBAC, RBAC], 'authorizers[1].type: Duplicate value: "RBAC"'),
        ([{"type": "RBAC"}], "authorizers[0].name: Required value"),
        ([{"type": "Webhook", "name": "x"}], "authorizers[0].webhook: Required value"),
        ([{"type": "Webhook", "name": "x", "webhook": {"timeout": "1m"}}], 'authorizers[0].webhook.timeout: Invalid value: "1m": must be <= 30s'),
        ([{"type": "Webhook", "name": "x", "webhook": {"failurePolicy": "Maybe"}}], 'authorizers[0].webhook.failurePolicy: Unsupported value: "Maybe": supported values: "NoOpinion", "Deny"'),
        ([{"type": "Webhook", "name": "x", "webhook": {"matchConditions": [{"expression": "request."}]}}], "authorizers[0].webhook.matchConditions[0].expression: Invalid value: \"request.\": compilation failed"),
        ([{"type": "RBAC", "name": "x", "webhook": {}}], "webhook config must be omitted when type is not Webhook"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_told(authorizers: list[dict[str, Any]], words: str, tmp_path: Path) -> None:
    file = tmp_path / "authorization.yaml"
    file.write_text(json.dumps(HEAD | {"authorizers": authorizers}))
    with pytest.raises(ConfigurationError) as caught:
        load(str(file))
    assert words in str(caught.value)

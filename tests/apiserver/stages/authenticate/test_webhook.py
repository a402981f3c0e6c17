"""Tokens that a webhook knows: asked once, after everybody else, with the answer remembered for a while."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, server

from pybernetes.aio.tasks import open_scope
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.http.message import Answer, Request, Response
from pybernetes.apiserver.http.server import HTTPServer, serving

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
JANE = {
    "authenticated": True,
    "user": {"username": "jane", "uid": "7", "groups": ["devs"], "extra": {"example.com/team": ["a"]}},
}


@dataclass
class Webhook:
    """Answers by token; `asked` are the reviews that came."""

    kubeconfig: Path
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    code: int = 200

    async def __call__(self, request: Request) -> Answer:
        review = json.loads(await request.body())
        self.asked.append(review)
        review["status"] = self.known.get(review["spec"]["token"], {"authenticated": False})
        return Response(self.code, json.dumps(review).encode())

    def flags(self, *more: str) -> list[str]:
        return [f"--authentication-token-webhook-config-file={self.kubeconfig}", *more]


@pytest.fixture
async def webhook(tmp_path: Path) -> AsyncIterator[Webhook]:
    made = Webhook(tmp_path / "hook.kubeconfig", {"jane-token": JANE})
    async with open_scope("hook") as scope, serving(HTTPServer(made, scope, max_body=1 << 20)) as listening:
        port = await listening.listen("127.0.0.1", 0, None)
        config = {
            "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}/authenticate"}}],
        }  # fmt: skip
        made.kubeconfig.write_text(json.dumps(config))
        yield made


async def who(api: Server, token: str) -> dict[str, Any] | int:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    reply = await api.post(WHO, body, token=token)
    return dict(reply.tree["status"]["userInfo"]) if reply.status == 201 else reply.status


async def test_a_token_that_nobody_else_knows_is_asked_about_once(tmp_path: Path, webhook: Webhook) -> None:
    async with server(tmp_path, *webhook.flags()) as api:
        assert isinstance(await who(api, "bob"), dict)
        assert webhook.asked == []
        assert await asyncio.gather(*(who(api, "jane-token") for _ in range(3))) == 3 * [
            {
                "username": "jane", "uid": "7", "groups": ["devs", "system:authenticated"],
                "extra": {"example.com/team": ["a"]},
            }
        ]  # fmt: skip
        (review,) = webhook.asked
        assert (review["kind"], review["apiVersion"]) == ("TokenReview", "authentication.k8s.io/v1beta1")
        assert review["spec"] == {
            "token": "jane-token", "audiences": ["https://kubernetes.default.svc.cluster.local"],
        }  # fmt: skip
        for _ in range(2):
            assert await who(api, "nobody") == 401
        assert len(webhook.asked) == 2
        webhook.known.clear()
        assert isinstance(await who(api, "jane-token"), dict)  # remembered
        await api.clock.advance(121)
        assert await who(api, "jane-token") == 401


async def test_reviews_ask_the_webhook_too(tmp_path: Path, webhook: Webhook) -> None:
    more = ("--authentication-token-webhook-version=v1", "--authentication-token-webhook-cache-ttl=0s")
    async with server(tmp_path, *webhook.flags(*more)) as api:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
        told = (await api.post(REVIEWS, body | {"spec": {"token": "jane-token"}})).tree["status"]
        assert (told["authenticated"], told["user"]["username"]) == (True, "jane")
        assert webhook.asked[0]["apiVersion"] == "authentication.k8s.io/v1"
        webhook.known["old"] = {"authenticated": False, "error": "this token has expired"}
        told = (await api.post(REVIEWS, body | {"spec": {"token": "old"}})).tree["status"]
        assert told == {"user": {}, "error": "this token has expired"}
        webhook.known["other"] = JANE | {"audiences": ["somebody else"]}
        assert await who(api, "other") == 401
        await api.clock.advance(2)
        assert isinstance(await who(api, "jane-token"), dict)
        assert len(webhook.asked) == 4  # nothing is remembered


async def test_a_webhook_that_fails_refuses(tmp_path: Path, webhook: Webhook) -> None:
    async with server(tmp_path, *webhook.flags()) as api:
        webhook.code = 400
        assert await who(api, "jane-token") == 401
        webhook.code = 200
        assert isinstance(await who(api, "jane-token"), dict)  # failures are not remembered
        assert isinstance(await who(api, "bob"), dict)


async def test_flags_that_do_not_fit(tmp_path: Path, webhook: Webhook) -> None:
    with pytest.raises(ConfigurationError, match='unsupported authentication webhook version "v2", supported versions are "v1", "v1beta1"'):  # fmt: skip
        async with server(tmp_path, *webhook.flags("--authentication-token-webhook-version=v2")):
            pass
    webhook.kubeconfig.write_text("{}")
    with pytest.raises(ConfigurationError):
        async with server(tmp_path, *webhook.flags()):
            pass

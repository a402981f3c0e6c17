"""Tokens of an issuer elsewhere: its keys are found over TLS, claims become a user, rules refuse."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.apiserver.inprocess import Server, server
from tests.etcds import Authority

from pybernetes.aio.tasks import open_scope
from pybernetes.aio.tls import server_context
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.http.message import Answer, Request, Response
from pybernetes.apiserver.http.server import HTTPServer, serving
from pybernetes.apiserver.stages.authenticate.jwt.config import load
from pybernetes.apiserver.stages.authenticate.tokens.jws import sign
from pybernetes.apiserver.stages.authenticate.tokens.keys import FileSigner, load_signer

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
NOW = 1767225600
"""The moment at which the server's clock stands."""


def new_signer(kind: str = "EC") -> FileSigner:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.PKCS8
    return load_signer(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


@dataclass
class Provider:
    """An issuer; `asked` are the paths that somebody wanted of it."""

    url: str
    authority: Authority
    signers: list[FileSigner]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, request: Request) -> Answer:
        self.asked.append(request.path)
        if request.path == "/.well-known/openid-configuration":
            return Response(200, json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys"}).encode())
        return Response(200, json.dumps({"keys": [one.verifier.to_jwk() for one in self.signers]}).encode())

    def token(self, signer: FileSigner | None = None, **claims: Any) -> str:
        made = {"iss": self.url, "aud": "kubernetes", "sub": "jane", "exp": NOW + 60} | claims
        return sign(signer or self.signers[0], json.dumps(made).encode())


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    authority = Authority(tmp_path)
    pair = authority.sign("issuer")
    made = Provider("", authority, [new_signer(), new_signer("RSA")])
    async with open_scope("issuer") as scope, serving(HTTPServer(made, scope, max_body=1 << 20)) as listening:
        tls = server_context(str(pair.certificate), str(pair.key))
        made.url = f"https://127.0.0.1:{await listening.listen('127.0.0.1', 0, tls)}"
        yield made


async def who(api: Server, token: str) -> dict[str, Any] | int:
    """The user that the server takes the token for, or its refusal."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    reply = await api.post(REVIEWS, body, token=token)
    return dict(reply.tree["status"]["userInfo"]) if reply.status == 201 else reply.status


@asynccontextmanager
async def configured(tmp_path: Path, provider: Provider, **more: Any) -> AsyncIterator[Server]:
    issuer = {
        "url": provider.url, "audiences": ["kubernetes"], "certificateAuthority": provider.authority.file.read_text(),
    }  # fmt: skip
    mappings = {"username": {"claim": "sub", "prefix": ""}}
    config = {"jwt": [{"issuer": issuer, "claimMappings": mappings} | more.pop("jwt", {})], **more}
    file = tmp_path / "authentication.yaml"
    file.write_text(
        json.dumps({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration"} | config)
    )
    async with server(tmp_path, f"--authentication-config={file}") as api:
        yield api


async def test_flags_take_tokens_of_one_issuer(tmp_path: Path, provider: Provider) -> None:
    flags = (
        f"--oidc-issuer-url={provider.url}", "--oidc-client-id=kubernetes", f"--oidc-ca-file={provider.authority.file}",
        "--oidc-groups-claim=groups", "--oidc-groups-prefix=oidc:", "--oidc-required-claim=hd=example.com",
    )  # fmt: skip
    async with server(tmp_path, *flags) as api:
        good = {"hd": "example.com", "groups": ["admins"]}
        user = await who(api, provider.token(**good))
        assert isinstance(user, dict)
        assert user["username"] == f"{provider.url}#jane"
        assert user["groups"] == ["oidc:admins", "system:authenticated"]
        assert isinstance(await who(api, provider.token(provider.signers[1], **good)), dict)
        for wrong in (
            provider.token(**good, aud="other"), provider.token(**good, exp=NOW - 60), provider.token(**good, nbf=NOW + 60),
            provider.token(groups=[]), provider.token(**good)[:-8] + "AAAAAAAA", provider.token(new_signer(), **good),
        ):  # fmt: skip
            assert await who(api, wrong) == 401
        assert provider.asked == ["/.well-known/openid-configuration", "/keys"]  # once, whatever came
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
        asked = review | {"spec": {"token": provider.token(**good)}}
        told = await api.post("/apis/authentication.k8s.io/v1/tokenreviews", asked)
        assert told.tree["status"]["user"]["username"] == f"{provider.url}#jane"


async def test_a_new_key_is_found_when_it_is_needed(tmp_path: Path, provider: Provider) -> None:
    async with configured(tmp_path, provider) as api:
        assert isinstance(await who(api, provider.token()), dict)
        provider.signers.append(new_signer())
        late = provider.token(provider.signers[-1])
        assert await who(api, late) == 401  # the issuer has just been asked
        await api.clock.advance(11)
        assert isinstance(await who(api, late), dict)


async def test_expressions_map_claims_and_refuse(tmp_path: Path, provider: Provider) -> None:
    jwt = {
        "issuer": {
            "url": provider.url, "audiences": ["a", "kubernetes"], "audienceMatchPolicy": "MatchAny",
            "certificateAuthority": provider.authority.file.read_text(),
        },
        "claimValidationRules": [{"expression": "claims.sub != 'mallory'", "message": "not you"}],
        "claimMappings": {
            "username": {"expression": "'ext:' + claims.sub"},
            "groups": {"expression": "claims.roles.split(',')"},
            "uid": {"claim": "oid"},
            "extra": [{"key": "example.com/tenant", "valueExpression": "claims.tenant"}],
        },
        "userValidationRules": [{"expression": "!user.username.startsWith('ext:system:')"}],
    }  # fmt: skip
    async with configured(tmp_path, provider, jwt=jwt) as api:
        given = {"roles": "x,y", "tenant": "t1", "oid": "7"}
        assert await who(api, provider.token(**given)) == {
            "username": "ext:jane", "uid": "7", "groups": ["x", "y", "system:authenticated"],
            "extra": {"example.com/tenant": ["t1"]},
        }  # fmt: skip
        assert await who(api, provider.token(sub="mallory", **given)) == 401
        assert await who(api, provider.token(sub="system:admin", **given)) == 401
        assert await who(api, provider.token(roles="x")) == 401  # the expression of the tenant fails


async def test_anonymous_only_where_it_is_allowed(tmp_path: Path, provider: Provider) -> None:
    anonymous = {"enabled": True, "conditions": [{"path": "/livez"}]}
    async with configured(tmp_path, provider, anonymous=anonymous) as api:
        assert (await api.raw("GET", "/livez", token="")).status == 200
        assert (await api.raw("GET", "/readyz", token="")).status == 401


async def test_a_changed_file_is_used_once_its_issuers_answer(tmp_path: Path, provider: Provider) -> None:
    file, new = tmp_path / "authentication.yaml", tmp_path / "new"

    async def told(status: str, times: int) -> None:
        wanted = rf'apiserver_authentication_config_controller_automatic_reloads_total{{status="{status}",apiserver_id_hash="sha256:\w+"}} {times}\n'
        while True:
            answer = await api.raw("GET", "/metrics")
            assert isinstance(answer, Response)
            assert isinstance(answer.body, bytes)
            if re.search(wanted, answer.body.decode()):
                return
            await api.clock.settle()

    def replace(tree: dict[str, Any]) -> None:
        new.write_text(json.dumps(tree))
        new.rename(file)

    async with configured(tmp_path, provider, anonymous={"enabled": False}) as api:
        before = json.loads(file.read_text())
        assert isinstance(await who(api, provider.token()), dict)
        named = json.loads(file.read_text())
        named["jwt"][0]["claimMappings"]["username"]["prefix"] = "new:"
        replace(named)
        await told("success", 1)
        user = await who(api, provider.token())
        assert isinstance(user, dict)
        assert user["username"] == "new:jane"
        replace(named | {"anonymous": {"enabled": True}})  # that is for the start alone
        await told("failure", 1)
        silent = json.loads(json.dumps(before))
        silent["jwt"][0]["issuer"]["url"] = "https://127.0.0.1:1"
        replace(silent)
        await told("failure", 2)
        assert isinstance(await who(api, provider.token()), dict)
        await api.clock.advance(61)  # perhaps it answers now
        await told("failure", 3)
        replace(before | {"jwt": []})
        await told("success", 2)
        assert await who(api, provider.token()) == 401


@pytest.mark.parametrize(
    ("jwt", "words"),
    [
        ({}, "jwt[0].issuer.url: Required value"),
        ({"issuer": {"url": "http://x"}}, 'jwt[0].issuer.url: Invalid value: "http://x": URL scheme must be https'),
        ({"issuer": {"audiences": []}}, "at least one jwt[0].issuer.audiences is required"),
        ({"issuer": {"audiences": ["a", "b"]}}, "audienceMatchPolicy must be MatchAny for multiple audiences"),
        ({"claimMappings": {"username": {"claim": "sub"}}}, "prefix is required when claim is set"),
        ({"claimMappings": {"username": {"claim": "sub", "expression": "x"}}}, "claim and expression can't both be set"),
        ({"claimMappings": {"username": {"expression": "claims."}}}, "jwt[0].claimMappings.username.expression: Invalid value: \"claims.\": compilation failed: "),
        ({"claimValidationRules": [{}]}, "jwt[0].claimValidationRules[0]: Required value: claim or expression is required"),
        ({"userValidationRules": [{"expression": "claims.sub"}]}, "undeclared reference to 'claims'"),
        ({"issuer": {"url": "https://a@b/?c#d"}}, 'Invalid value: "https://a@b/?c#d": URL must not contain a username or password, jwt[0].issuer.url: Invalid value: "https://a@b/?c#d": URL must not contain a query, jwt[0].issuer.url: Invalid value: "https://a@b/?c#d": URL must not contain a fragment'),
        ({"issuer": {"url": "https://own"}}, "URL must not overlap with disallowed issuers: [https://own]"),
        ({"issuer": {"url": "https://a", "discoveryURL": "https://a/"}}, "discoveryURL must be different from URL"),
        ({"issuer": {"certificateAuthority": "x"}}, 'jwt[0].issuer.certificateAuthority: Invalid value: "<omitted>": data does not contain any valid RSA or ECDSA certificates'),
        ({"claimMappings": {"username": {"expression": "claims.email"}}}, "claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression"),
        ({"claimMappings": {"extra": [{"key": "a.k8s.io/X", "valueExpression": "'a'"}]}}, "must be lowercase, jwt[0].claimMappings.extra[0].key: Invalid value: \"a.k8s.io/X\": k8s.io, kubernetes.io and their subdomains are reserved"),
        ({"claimMappings": {"extra": [{"key": "a", "valueExpression": "'a'"}]}}, 'must be a domain-prefixed path (such as "acme.io/foo")'),
        ({"claimValidationRules": [{"claim": "a", "message": "b"}]}, "may not be specified when claim is set"),
        ({"nonsense": 1}, 'strict decoding error: unknown field "jwt[0].nonsense"'),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_told(jwt: dict[str, Any], words: str, tmp_path: Path) -> None:
    file = tmp_path / "authentication.yaml"
    head = {"apiVersion": "apiserver.config.k8s.io/v1beta1", "kind": "AuthenticationConfiguration"}
    file.write_text(json.dumps(head | {"jwt": [jwt]}))
    with pytest.raises(ConfigurationError) as caught:
        load(str(file), ["https://own"])
    assert words in str(caught.value)


async def test_flags_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="oidc-issuer-url and oidc-client-id must be specified together"):
        async with server(tmp_path, "--oidc-issuer-url=https://x"):
            pass
    with pytest.raises(ConfigurationError, match="mutually exclusive"):
        async with server(tmp_path, "--oidc-issuer-url=https://x", "--authentication-config=x"):
            pass

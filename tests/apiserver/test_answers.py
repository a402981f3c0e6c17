"""What holds for answers whatever they are of: how they are laid out, and what they say to caches and browsers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, server

from pybernetes.apiserver.http.head import head
from pybernetes.apiserver.http.message import Response

NAMESPACES = "/api/v1/namespaces"
NOT_SNIFFED = ("x-content-type-options", "nosniff")


async def whole(api: Server, path: str, method: str = "GET", body: Any = None, **headers: str) -> Response:
    answer = await api.raw(method, path, body, headers={key.replace("_", "-"): text for key, text in headers.items()})
    assert isinstance(answer, Response)
    return answer


def text_of(answer: Response) -> str:
    return (b"".join(answer.body) if isinstance(answer.body, list) else answer.body).decode()


@pytest.mark.parametrize("agent", ["curl/8.5.0", "Wget/1.2", "Mozilla/5.0 (X11)"])
async def test_people_get_json_laid_out(tmp_path: Path, agent: str) -> None:
    async with server(tmp_path) as api:
        for path in (NAMESPACES, f"{NAMESPACES}/default", f"{NAMESPACES}/nosuch", "/apis", "/api/v1", f"{NAMESPACES}?limit=x"):  # fmt: skip
            plain, pretty = await whole(api, path, user_agent="kubectl/1"), await whole(api, path, user_agent=agent)
            assert text_of(pretty) == json.dumps(json.loads(text_of(plain)), indent=2, ensure_ascii=False)
            assert text_of(plain).count("\n") == 1
        made = await whole(api, NAMESPACES, "POST", {"metadata": {"name": "n"}}, user_agent=agent)
        assert text_of(made).startswith('{\n  "kind": "Namespace",')
        table = await whole(api, NAMESPACES, user_agent=agent, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        assert text_of(table).startswith('{\n  "kind": "Table",')


async def test_who_asks_for_a_layout_gets_it(tmp_path: Path) -> None:
    async with server(tmp_path) as api:
        for query, agent, accept, lines in (
            ("pretty=1", "kubectl", "", True), ("pretty=true", "kubectl", "*/*", True), ("pretty=", "kubectl", "", False),
            ("pretty=x", "curl/8", "", False), ("pretty=0", "curl/8", "", False), ("", "kubectl", "application/json;pretty=1", True),
            ("", "curl/8", "application/yaml", True), ("", "kubectl", "", False),
        ):  # fmt: skip
            answer = await whole(api, f"{NAMESPACES}/default?{query}", user_agent=agent, accept=accept)
            assert (text_of(answer).count("\n") > 1) is lines, (query, agent, accept)


async def test_what_is_forbidden_is_not_sniffed(tmp_path: Path) -> None:
    async with server(tmp_path) as api:
        refused = await api.raw("GET", "/api/v1/secrets", token="bob")
        assert isinstance(refused, Response)
        assert refused.status == 403
        assert NOT_SNIFFED in refused.headers
        assert NOT_SNIFFED not in (await whole(api, f"{NAMESPACES}/nosuch")).headers
        assert NOT_SNIFFED in (await whole(api, "/healthz")).headers
        assert NOT_SNIFFED not in (await whole(api, "/healthz/ping")).headers


def test_caches_are_told_once() -> None:
    assert head(200, "", [("a", "b")], 0).count(b"cache-control: no-cache, private\r\n") == 1
    assert head(200, "", [("cache-control", "public")], 0).count(b"cache-control: ") == 1


def test_a_client_is_answered_in_its_version() -> None:
    assert head(404, "", [], 0, "1.0").startswith(b"HTTP/1.0 404 Not Found\r\n")


async def test_openapi_is_there_for_any_taste(tmp_path: Path) -> None:
    async with server(tmp_path) as api:
        index = await whole(api, "/openapi/v3", accept="application/yaml")
        assert (index.status, index.content_type) == (200, "text/plain; charset=utf-8")
        url = json.loads(text_of(index))["paths"]["apis/apps/v1"]["serverRelativeURL"]
        kept = await whole(api, url, accept="application/json")
        assert [value for name, value in kept.headers if name == "cache-control"] == ["public, immutable"]
        assert json.loads(text_of(kept))["info"] == {"title": "Kubernetes", "version": "1.36"}
        refused = await whole(api, "/openapi/v2", accept="application/yaml")
        assert (refused.status, refused.body, refused.content_type) == (406, b"", "")


@pytest.mark.parametrize(("media", "status"), [
    ("application/json;", 201), ("application/json;;", 415), ("application/json; charset=utf-8", 201), ("application/json;a=b;a=c", 415),
    ("application/json;a = b; c=\"d\";", 201), ("application/json;x", 415), ("application/json;A=b;a=c", 415), (";", 415),
])  # fmt: skip
async def test_parameters_of_a_body_type(tmp_path: Path, media: str, status: int) -> None:
    async with server(tmp_path) as api:
        path = f"{NAMESPACES}?dryRun=All"
        assert (await whole(api, path, "POST", {"metadata": {"name": "n"}}, content_type=media)).status == status


@pytest.mark.parametrize(("text", "why"), [
    ("x", 'invalid duration "x"'), ("5", 'missing unit in duration "5"'), ("1d", 'unknown unit "d" in duration "1d"'),
    ("1h2x", 'unknown unit "x" in duration "1h2x"'), ("1s.", 'invalid duration "1s."'),
])  # fmt: skip
async def test_timeouts_that_are_none(tmp_path: Path, text: str, why: str) -> None:
    async with server(tmp_path) as api:
        reply = await api.get(f"{NAMESPACES}?timeout={text}")
        assert (reply.status, reply.message) == (400, f"invalid timeout specified in the request URL - time: {why}")


@pytest.mark.parametrize(("body", "status", "words"), [
    (b"k8s\0\x12\x00", 404, 'configmaps "c" not found'),
    (b"k8s\0\x0a\x13\x0a\x02v1\x12\x0dDeleteOptions\x12\x00", 404, 'configmaps "c" not found'),
    (b"k8s\0\x12\x03\x22\x01x", 422, 'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "x": supported values: "Foreground", "Background", "Orphan", "nil"'),
    (b"k8s\0\x12\x01\x08", 400, "unexpected EOF"),
    (b"k8s\0", 400, "empty body"),
    (b"{}", 400, "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"),
    (b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod", 400, 'no kind "Pod" is registered for version "v1" in scheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"'),
])  # fmt: skip
async def test_deletions_speak_protobuf(tmp_path: Path, body: bytes, status: int, words: str) -> None:
    async with server(tmp_path) as api:
        headers = {"content-type": "application/vnd.kubernetes.protobuf"}
        answer = await api.bytes("DELETE", f"{NAMESPACES}/default/configmaps/c", body, headers=headers)
        assert isinstance(answer, Response)
        assert (answer.status, json.loads(text_of(answer))["message"]) == (status, words)


@pytest.mark.parametrize("kind", [b"", b"\x0a\x00", b"\x0a\x0f\x0a\x02v1\x12\x09ConfigMap", b"\x0a\x07\x0a\x05a/b/c", b"\x0a\x05\x0a\x03/v1"])  # fmt: skip
async def test_an_envelope_need_not_say_its_kind(tmp_path: Path, kind: bytes) -> None:
    """Nor say it legibly, if it is known what it is to be."""
    async with server(tmp_path) as api:
        headers = {"content-type": "application/vnd.kubernetes.protobuf"}
        body = b"k8s\0" + kind + b"\x12\x05\x0a\x03\x0a\x01c"
        assert (await api.bytes("POST", f"{NAMESPACES}/default/configmaps", body, headers=headers)).status == 201


@pytest.mark.parametrize("name", ["..", "a%25b", "%2e%2e"])
async def test_names_that_no_object_can_have(tmp_path: Path, name: str) -> None:
    async with server(tmp_path) as api:
        for method in ("GET", "DELETE"):
            answer = await whole(api, f"{NAMESPACES}/{name}", method)
            assert answer.status == 400
            told = "may not contain '%'" if "25" in name else "may not be '..'"
            assert json.loads(text_of(answer))["message"].endswith(f": {told}")

"""Whatever comes in, the answer is a 4xx in words (or the deliberate 500s of upstream), never a failure of the server."""

from __future__ import annotations

import json
import logging

import pytest

BASE = "/api/v1/namespaces/default"


def refused_properly(caplog) -> bool:
    return not [record for record in caplog.records if record.levelno >= logging.ERROR]


BODIES = (
    b"", b"{", b"[" * 100_000, b'{"a":' * 5000, b"\xff\xfe", b"\x00", b'"x"', b"null", b"nan", b"1e999", b"1" * 5000,
    b'{"metadata":[]}', b'{"metadata":{"name":5}}', b'{"metadata":{"name":"\\ud800"}}', b'{"\\udc00\\ud800":1,"metadata":{"name":""}}',
    b"k8s\x00", b"k8s\x00\xff\xff\xff", b"k8s\x00\x0a\x0b\x0a\x02v1\x12\x05Event\x12\x05:\x03\x08\x01\x10",
    b"a: &a [x]\nb: [*a, *nosuch]", b"- - " * 3000, b"? {a: b}: c", b"!!python/object/apply:os.system [id]", b"a: !!binary x", b"%YAML 9.9\n---\na", b'"\\ud800"', b"a: &a {b: *a}",
)  # fmt: skip


async def test_broken_bodies(api, caplog):
    for body in BODIES:
        for media in ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf"):
            answer = await api.call("POST", f"{BASE}/configmaps", body, content_type=media)
            assert 400 <= answer.status < 500, (body, media)
    assert refused_properly(caplog)


async def test_aliases_that_multiply(api):
    """A billion laughs."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    answer = await api.call("POST", f"{BASE}/configmaps", "\n".join(lines).encode(), content_type="application/yaml")
    assert answer.status == 400
    assert "excessive aliasing" in answer.body["message"]


@pytest.mark.parametrize("media", ["application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml"])  # fmt: skip
async def test_patches_that_nest(api, caplog, media):
    """What nests too deeply for anybody who meets it later is refused, also where a patch nests it in itself."""
    await api.call("POST", f"{BASE}/configmaps", {"metadata": {"name": "c"}, "data": {"k": "v"}})
    deep = b'{"a":' * 250 + b"1" + b"}" * 250
    copies = [{"op": "copy", "from": "/metadata", "path": "/metadata/annotations"}] * 12
    bodies = [deep, b'[{"op":"add","path":"/data","value":%b}]' % deep, json.dumps(copies).encode()]
    for body in bodies:
        answer = await api.call("PATCH", f"{BASE}/configmaps/c?fieldManager=m", body, content_type=media)
        assert 400 <= answer.status < 500, body
    assert refused_properly(caplog)


async def test_patches_of_too_many_operations(api):
    await api.call("POST", f"{BASE}/configmaps", {"metadata": {"name": "c"}, "data": {"k": "v"}})
    operations = [{"op": "test", "path": "/data/k", "value": "v"}] * 10_001
    for count, status in ((10_000, 200), (10_001, 413)):
        answer = await api.call("PATCH", f"{BASE}/configmaps/c", operations[:count], content_type="application/json-patch+json")  # fmt: skip
        assert answer.status == status
    assert "The allowed maximum operations in a JSON patch is 10000, got 10001" in answer.body["message"]


QUERIES = (
    "limit=-1", "limit=x", "limit=99999999999999999999", "limit=1_0", "limit=%D9%A1", "continue=AAAA", "continue=%00", "continue=é",
    "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTUsInN0YXJ0IjoiLi4vLi4veFx1MDAwMCJ9", "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6OTk5OTk5OTk5LCJzdGFydCI6ImEifQ",
    "resourceVersion=-1", "resourceVersion=18446744073709551616", "resourceVersion=9223372036854775808&resourceVersionMatch=Exact", "resourceVersion=%C2%B2",
    "resourceVersion=1&resourceVersionMatch=Exact", "resourceVersionMatch=Exact", "labelSelector=((((", "labelSelector=" + "a," * 5000, "labelSelector=" + "a%20in%20(" + "b," * 50000,
    "fieldSelector=%5C", "fieldSelector=a", "fieldSelector=" + "metadata.name=a," * 5000, "watch=x&timeoutSeconds=x", "labelSelector=a%20in%20(", "includeObject=%00", "pretty=%ff",
    "&".join(f"a{n}=b" for n in range(5000)), "dryRun=x", "%00=%00", "labelSelector=%ED%A0%80", "watch=1&timeoutSeconds=-1&resourceVersion=x",
    *(f"{name}={digits}" for name in ("limit", "timeoutSeconds", "watch=1&timeoutSeconds") for digits in ("9" * 5000, "²", "1e9")),
)  # fmt: skip


async def test_queries(api, caplog):
    for query in QUERIES:
        answer = await api.server(api.request("GET", f"{BASE}/configmaps?{query}", None, "", ""))
        is_future = b"Too large resource version" in answer.body  # which upstream waits for, and gives up
        assert answer.status < 500 or "resourceVersion" in query or is_future, query
    assert refused_properly(caplog)


@pytest.mark.parametrize("number", ["9" * 5000, "%C2%B2", "-1"])
async def test_numbers_that_python_cannot_read(api, caplog, number):
    for query in (f"resourceVersion={number}", f"watch=1&resourceVersion={number}"):
        answer = await api.server(api.request("GET", f"{BASE}/configmaps?{query}", None, "", ""))
        assert b"resourceVersion: Invalid value" in answer.body, query
    for path in ("pods/p", "pods/http:p", "services/s"):
        assert 400 <= (await api.call("GET", f"{BASE}/{path}:{number}/proxy/")).status < 500
    assert refused_properly(caplog)


PATHS = (
    "/api/v1/namespaces/%2e%2e/pods", "/api/v1/namespaces/../pods", "/api/v1//", "/api/v1/pods/../x", "/apis///", "/api/v1/" + "a/" * 500, "*", "/\x00",
    "/api/v1/namespaces/default/configmaps/a%2Fb", "/api/v1/namespaces/default/configmaps/..", "/api/v1/namespaces/a\x00/configmaps/b",
    "/api/v1/namespaces/default/pods/../../../proxy", "/api/v1/watch", "/api/v1/watch/watch/watch", "/api/v1/proxy", "http://evil/api/v1/pods", "/openapi/v3/../../etc/passwd",
    "/apis/é/v1/x", "/api/v1/namespaces/" + "n" * 10_000, "/logs/../../etc/passwd", "/.well-known/../x", "",
)  # fmt: skip


async def test_paths(api, caplog):
    for path in PATHS:
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "nosuch"):
            answer = await api.call(method, path)
            # Upstream takes it for a failure of its own when a path of a resource names none.
            is_cut_short = answer.status == 500 and b"failed to create RequestInfo" in answer.body
            assert 200 <= answer.status < 500 or is_cut_short, (method, path)
    assert refused_properly(caplog)


ACCEPTS = (
    "a/b;q=x", ";;;", "application/json;as=;g=;v=", ",", "*/*;q=0", "*/*;q=nan", "*/*;q=inf", "*/*;q=-1", "application/*", "\u00fc", "a," * 10_000, "application/json;" * 1000,
    "application/json;as=Table;v=v9;g=meta.k8s.io", "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1", "application/json;stream=watch", "application/cbor",
)  # fmt: skip


async def test_accept_headers(api, caplog):
    for accept in ACCEPTS:
        for target in (f"{BASE}/configmaps", f"{BASE}/configmaps/nosuch", "/apis", "/openapi/v2", "/version"):
            answer = await api.call("GET", target, accept=accept)
            assert answer.status in (200, 404, 406), (accept, target)
    assert refused_properly(caplog)


async def test_content_types(api, caplog):
    for media in (
        *ACCEPTS,
        "text/plain",
        "application/json; charset=utf-16",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ):
        for method, target in (
            ("POST", f"{BASE}/configmaps"),
            ("PATCH", f"{BASE}/configmaps/c"),
            ("DELETE", f"{BASE}/configmaps/nosuch"),
        ):
            answer = await api.call(method, target, {"metadata": {}}, content_type=media)
            assert 400 <= answer.status < 500, (media, method)
    assert refused_properly(caplog)

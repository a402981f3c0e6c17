"""Whatever comes in, the answer is a 4xx in words (or the deliberate 500s of upstream), never a failure of the server."""

from __future__ import annotations

import json
import logging
import random

import pytest

BASE = "/api/v1/namespaces/default"
PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
VALUES = [
    None,
    True,
    0,
    -1,
    2**70,
    1.5,
    "",
    "x",
    "\u0000",
    "ü" * 300,
    [],
    [[]],
    {},
    {"": {}},
    [None],
    {"a": [{"b": None}]},
]
FIELDS = [
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    "status",
    "data",
    "name",
    "labels",
    "containers",
    "ports",
    "template",
]
TARGETS = [
    ("POST", f"{BASE}/configmaps"),
    ("POST", f"{BASE}/pods"),
    ("POST", f"{BASE}/services"),
    ("POST", "/apis/apps/v1/namespaces/default/deployments"),
    ("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    ("POST", "/apis/events.k8s.io/v1/namespaces/default/events"),
    ("POST", "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"),
    ("PUT", f"{BASE}/configmaps/c"),
    ("PUT", "/apis/apps/v1/namespaces/default/deployments/d/scale"),
    ("DELETE", f"{BASE}/configmaps/nosuch"),
]


def random_tree(rng: random.Random, depth: int = 0):
    if depth > 4 or rng.random() < 0.3:
        return rng.choice(VALUES)
    if rng.random() < 0.3:
        return [random_tree(rng, depth + 1) for _ in range(rng.randrange(3))]
    return {rng.choice(FIELDS): random_tree(rng, depth + 1) for _ in range(rng.randrange(5))}


def refused_properly(caplog) -> bool:
    return not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("seed", range(20))
async def test_random_bodies(api, caplog, seed):
    rng = random.Random(seed)
    for method, target in TARGETS:
        for _ in range(4):
            await api.call(method, target, json.dumps(random_tree(rng)).encode())
    assert refused_properly(caplog)


@pytest.mark.parametrize("media", PATCHES)
async def test_random_patches(api, caplog, media):
    await api.call("POST", f"{BASE}/configmaps", {"metadata": {"name": "c"}, "data": {"k": "v"}})
    rng = random.Random(media)
    operations = ["add", "remove", "replace", "move", "copy", "test", "nosuch"]
    paths = ["", "/", "/data", "/data/k", "/metadata/labels", "/data/~1", "/metadata/finalizers/-", "/x/0", "data"]
    for _ in range(60):
        patch = random_tree(rng)
        if media == PATCHES[0] and rng.random() < 0.8:
            patch = [
                {"op": rng.choice(operations), "path": rng.choice(paths), "from": rng.choice(paths), "value": patch}
            ]
        target = f"{BASE}/configmaps/c?fieldManager=m&dryRun=All"
        await api.call("PATCH", target, json.dumps(patch).encode(), content_type=media)
    assert refused_properly(caplog)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 100_000, b'{"a":' * 5000, b"\xff\xfe", b"\x00", b'"x"', b"null", b"nan", b"1e999", b'{"metadata":[]}', b'{"metadata":{"name":5}}', b"k8s\x00", b"k8s\x00\xff\xff\xff"],
)  # fmt: skip
async def test_broken_bodies(api, caplog, body):
    for media in ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf"):
        answer = await api.call("POST", f"{BASE}/configmaps", body, content_type=media)
        assert 400 <= answer.status < 500
    assert refused_properly(caplog)


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1", "limit=x", "limit=99999999999999999999", "continue=AAAA", "continue=%00", "resourceVersion=-1",
        "resourceVersion=1&resourceVersionMatch=Exact", "resourceVersionMatch=Exact", "labelSelector=((((", "labelSelector=" + "a," * 5000,
        "fieldSelector=%5C", "fieldSelector=a", "watch=x&timeoutSeconds=x", "labelSelector=a%20in%20(", "includeObject=%00", "pretty=%ff",
    ],
)  # fmt: skip
async def test_queries(api, caplog, query):
    answer = await api.server(api.request("GET", f"{BASE}/configmaps?{query}", None, "", ""))
    assert answer.status < 500 or "resourceVersion" in query
    assert refused_properly(caplog)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/%2e%2e/pods",
        "/api/v1//",
        "/api/v1/pods/../x",
        "/apis///",
        "/api/v1/" + "a/" * 500,
        "*",
        "/\x00",
    ],
)
async def test_paths(api, caplog, path):
    answer = await api.call("GET", path)
    assert 200 <= answer.status < 500
    assert refused_properly(caplog)


@pytest.mark.parametrize(
    "accept", ["a/b;q=x", ";;;", "application/json;as=;g=;v=", ",", "*/*;q=0", "application/*", "\u00fc"]
)
async def test_accept_headers(api, caplog, accept):
    answer = await api.call("GET", f"{BASE}/configmaps", accept=accept)
    assert answer.status in (200, 406)
    assert refused_properly(caplog)

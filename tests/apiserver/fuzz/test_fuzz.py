"""Spoiled objects of every kind, in every format, by every verb; a longer run: P8S_FUZZ_CASES=100000 P8S_FUZZ_SEED=2."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import msgspec
import pytest
from tests.apiserver.fuzz.objects import Tree, seeds
from tests.apiserver.fuzz.requests import DELIBERATE, Fuzz, Sent, as_json, as_yaml, body_of, path_of, send
from tests.apiserver.inprocess import Server, server

from pybernetes.api.protobuf import CONTENT_TYPE as PROTOBUF
from pybernetes.api.protobuf import decode_object, encode_object
from pybernetes.client.codec import typed_codec

CASES = int(os.environ.get("P8S_FUZZ_CASES", "1500"))
SEED = int(os.environ.get("P8S_FUZZ_SEED", "1"))
WIDGET: Tree = {
    "apiVersion": "life.test/v1",
    "kind": "Widget",
    "metadata": {"name": "w"},
    "spec": {"size": 3, "color": "red", "names": ["a"], "any": {"x": 1}, "port": 80, "map": {"a": 1.5}, "list": [{"k": "a", "v": 1}]},
    "status": {"size": 1, "selector": "a=b"},
}  # fmt: skip
REVIEWS = ("authentication.k8s.io/v1", "authorization.k8s.io/v1")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    """With an object of every kind, and a custom one."""
    async with server(tmp_path) as api:
        await api.pod("p")
        for tree in (*seeds(), WIDGET):
            made = await send(api, Sent("POST", path_of(tree), as_json(tree)))
            assert made.status < 300, body_of(made)
        yield api


def readable(body: bytes) -> None:
    """As the informers of all components read it."""
    tree = msgspec.json.decode(body)
    group, _, version = tree["apiVersion"].rpartition("/")
    if tree["kind"] in ("Status", "Scale", "Widget"):
        return
    module = importlib.import_module(f"pybernetes.api.types.{group.split('.')[0] or 'core'}_{version}")
    typed_codec(getattr(module, tree["kind"])).object(body)


@pytest.mark.timeout(60 + CASES // 100)
async def test_whatever_is_sent(api: Server, caplog: pytest.LogCaptureFixture) -> None:
    fuzz = Fuzz(Random(SEED), [*seeds(), WIDGET, WIDGET])
    for _ in range(CASES):
        sent = fuzz.request()
        answer = await send(api, sent)
        body = body_of(answer)
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR], sent
        told = " ".join(body.decode("utf-8", "replace").split())  # YAML breaks long lines
        assert answer.status < 500 or any(words in told for words in DELIBERATE), (sent, body)
        if answer.status < 300 and sent.accept == "application/json":
            readable(body)


def same(body: bytes) -> Tree:
    """Without what is another in each answer: the uid, wherever it is told."""
    uid = msgspec.json.decode(body).get("metadata", {}).get("uid")
    tree: Tree = msgspec.json.decode(body.replace(uid.encode(), b"uid") if uid else body)
    tree["metadata"].pop("managedFields", None)
    return tree


async def test_the_formats_are_answered_alike(api: Server) -> None:
    for tree in seeds():
        name = tree.get("metadata", {}).get("name")
        if tree["kind"] == "Binding":
            continue
        if name and tree["kind"] not in ("IPAddress", "CustomResourceDefinition", "APIService"):
            tree["metadata"] = {**tree["metadata"], "name": f"{name}2"}
        path = path_of(tree) + "?dryRun=All&fieldValidation=Strict"
        bodies = {"application/json": as_json(tree), "application/yaml": as_yaml(tree)}
        shown: list[tuple[int, Tree]] = []
        for media, body in bodies.items():
            answer = await send(api, Sent("POST", path, body, media))
            shown.append((answer.status, same(body_of(answer))))
        assert shown[0] == shown[1], path
        raw = await send(api, Sent("POST", path, encode_object(tree), PROTOBUF))
        assert (raw.status, same(body_of(raw))) == shown[0], path


async def test_what_is_read_can_be_put_back(api: Server) -> None:
    """In every format an object is the same: a PUT of what a GET gave changes nothing."""
    for tree in (*seeds(), WIDGET):
        if tree["apiVersion"] in REVIEWS or tree["kind"] == "Binding":
            continue
        path = f"{path_of(tree)}/{tree['metadata']['name']}"
        created = body_of(await send(api, Sent("GET", path, b"")))
        # What is filled in on reading (of claims, of jobs) is stored by the first write, which so is one.
        first = body_of(await send(api, Sent("PUT", path, created)))
        version = msgspec.json.decode(first)["metadata"]["resourceVersion"]
        for media in ("application/json", "application/yaml", PROTOBUF):
            if media == PROTOBUF and tree is WIDGET:
                continue
            got = await send(api, Sent("GET", path, b"", accept=media))
            put = await send(api, Sent("PUT", path, body_of(got), media, accept=media))
            assert put.status == 200, (path, media, body_of(put))
            if media == PROTOBUF:
                assert decode_object(body_of(put))["metadata"]["resourceVersion"] == version, path
        last = msgspec.json.decode(body_of(await send(api, Sent("GET", path, b""))))
        assert last["metadata"]["resourceVersion"] == version, path

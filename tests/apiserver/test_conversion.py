"""Custom resources in several versions between which a webhook converts, over real HTTPS."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.hooks import Hook, Tree, admitting, patch, pki, serving
from tests.apiserver.inprocess import Server, server

from pybernetes.apiserver.http.message import StreamResponse

__all__ = ["pki"]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEFINITION = f"{DEFINITIONS}/widgets.shop.test"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
V1, V2 = (f"/apis/shop.test/{version}/namespaces/default/widgets" for version in ("v1", "v2"))
COUNT = {"type": "integer", "x-kubernetes-validations": [{"rule": "self < 100", "message": "too many"}]}


def version(name: str, spec: Tree, path: str, storage: bool, **more: Any) -> Tree:
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}, "status": status}}
    scale = {"specReplicasPath": path, "statusReplicasPath": ".status.count"}
    return {
        "name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": scale}, **more,
    }  # fmt: skip


def definition(config: Tree | None, stored: str = "v1") -> Tree:
    """v1 has `spec.count`, v2 `spec.amount.count`, with a default beside it."""
    amount = {"type": "object", "properties": {"count": COUNT, "unit": {"type": "string", "default": "pieces"}}}
    column = {"name": "Count", "type": "integer", "jsonPath": ".spec.amount.count"}
    versions = [
        version("v1", {"count": COUNT}, ".spec.count", stored == "v1"),
        version(
            "v2", {"amount": amount}, ".spec.amount.count", stored == "v2", additionalPrinterColumns=[column],
            selectableFields=[{"jsonPath": ".spec.amount.count"}],
        ),
    ]  # fmt: skip
    webhook = {"clientConfig": config, "conversionReviewVersions": ["v1"]}
    conversion = {"strategy": "Webhook", "webhook": webhook} if config else {"strategy": "None"}
    return {
        "metadata": {"name": "widgets.shop.test"},
        "spec": {
            "group": "shop.test", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": versions, "conversion": conversion,
        },
    }  # fmt: skip


def converted(obj: Tree, api_version: str) -> Tree:
    made = copy.deepcopy(obj) | {"apiVersion": api_version}
    spec = made.get("spec") or {}
    if api_version == "shop.test/v2" and "count" in spec:
        spec.setdefault("amount", {})["count"] = spec.pop("count")
    elif api_version == "shop.test/v1" and "amount" in spec:
        spec["count"] = spec.pop("amount").get("count")
    made["metadata"].setdefault("labels", {})["seen-by"] = "webhook"
    return made


Spoil = Callable[[Tree], object]


class Converter:
    """Answers ConversionReviews; `spoil` may change the response, and waits are held up while `open` is not set."""

    def __init__(self) -> None:
        self.spoil: Spoil = lambda response: None
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, review: Tree) -> Tree:
        await self.open.wait()
        request = review["request"]
        objects = [converted(each, request["desiredAPIVersion"]) for each in request["objects"]]
        response = {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": objects}
        self.spoil(response)
        return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}


class World:
    def __init__(self, api: Server, hook: Hook, converter: Converter) -> None:
        self.api, self.hook, self.converter = api, hook, converter

    async def make(self, name: str, count: int = 3, path: str = V1) -> Tree:
        spec = {"count": count} if path == V1 else {"amount": {"count": count}}
        told = {"apiVersion": "shop.test/v1" if path == V1 else "shop.test/v2", "kind": "Widget"}
        made = await self.api.post(path, {**told, "metadata": {"name": name}, "spec": spec})
        assert made.status == 201, made.message
        return made.tree

    async def stored(self, name: str = "w") -> Tree:
        """As it is in the store."""
        registry = self.api.services.registry
        resource = registry.find("shop.test", "v1", "widgets")
        assert resource is not None
        item = registry.get(resource, name, "default")
        assert item is not None
        return item.tree


@asynccontextmanager
async def world(tmp_path: Path, pki: Path) -> AsyncIterator[World]:
    converter = Converter()
    async with server(tmp_path) as api, serving(pki, converter) as hook:
        made = await api.post(DEFINITIONS, definition(hook.config))
        assert made.status == 201, made.message
        await served(api, V1)
        yield World(api, hook, converter)


async def hashes(api: Server) -> list[str]:
    """Of the version in which each version says that it is stored."""
    found = [(await api.get(f"/apis/shop.test/{version}")).tree["resources"][0] for version in ("v1", "v2")]
    return [each["storageVersionHash"] for each in found]


async def served(api: Server, path: str) -> None:
    async with asyncio.timeout(5):
        while (await api.raw("GET", path)).status != 200:
            await asyncio.sleep(0.005)


@pytest.fixture
async def widgets(tmp_path: Path, pki: Path) -> AsyncIterator[World]:
    async with world(tmp_path, pki) as made:
        yield made


async def test_every_verb_in_every_version(widgets: World) -> None:
    api = widgets.api
    made = await widgets.make("w", path=V2)
    assert (made["apiVersion"], made["spec"]) == (
        "shop.test/v2",
        {"amount": {"count": 3}},
    )  # v1 has no unit, and v2's default is for what is sent as v2
    assert ((await widgets.stored())["apiVersion"], (await widgets.stored())["spec"]) == ("shop.test/v1", {"count": 3})
    assert (await api.get(f"{V1}/w")).tree["spec"] == {"count": 3}
    patched = await api.merge(f"{V2}/w", {"spec": {"amount": {"count": 4}}})
    assert (patched.tree["spec"]["amount"]["count"], patched.tree["metadata"]["generation"]) == (4, 2)
    refused = await api.merge(f"{V2}/w", {"spec": {"amount": {"count": 400}}})
    assert refused.message == 'Widget.shop.test "w" is invalid: spec.amount.count: Invalid value: 400: too many'
    status = await api.merge(f"{V2}/w/status", {"status": {"count": 2}, "spec": {"amount": {"count": 9}}})
    assert (status.tree["status"], status.tree["spec"]["amount"]["count"]) == ({"count": 2}, 4)
    scaled = await api.merge(f"{V2}/w/scale", {"spec": {"replicas": 7}})
    assert (scaled.tree["spec"], scaled.tree["status"]) == ({"replicas": 7}, {"replicas": 2})
    config = {
        "apiVersion": "shop.test/v2", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"amount": {"count": 8}},
    }  # fmt: skip
    applied = await api.call(
        "PATCH", f"{V2}/w?fieldManager=me&force=true", config, headers={"content-type": "application/apply-patch+yaml"}
    )
    assert (applied.status, applied.tree["spec"]["amount"]["count"]) == (200, 8)
    assert (await widgets.stored())["spec"] == {"count": 8}
    assert (await api.delete(f"{V2}/w")).status == 200
    assert (await api.get(f"{V1}/w")).status == 404


async def test_owners_keep_their_fields_under_other_names(widgets: World) -> None:
    api = widgets.api

    async def apply(path: str, manager: str, spec: Tree, more: str = "") -> Any:
        version = path.split("/")[3]
        config = {"apiVersion": f"shop.test/{version}", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}
        headers = {"content-type": "application/apply-patch+yaml"}
        return await api.call("PATCH", f"{path}/w?fieldManager={manager}{more}", config, headers=headers)

    assert (await apply(V1, "ann", {"count": 3})).status == 201
    conflict = await apply(V2, "bob", {"amount": {"count": 4}})
    assert (conflict.status, conflict.tree["details"]["causes"]) == (
        409, [{"reason": "FieldManagerConflict", "message": 'conflict with "ann"', "field": ".spec.count"}],
    )  # fmt: skip
    forced = await apply(V2, "bob", {"amount": {"count": 4}}, "&force=true")
    owners = {each["manager"]: each["apiVersion"] for each in forced.tree["metadata"]["managedFields"]}
    assert owners == {"bob": "shop.test/v2"}
    # Who scales takes the field from whoever has it, in whatever version.
    assert (await apply(V1, "ann", {"count": 4})).status == 200
    scaled = await api.merge(f"{V2}/w/scale?fieldManager=scaler", {"spec": {"replicas": 6}})
    assert scaled.tree["spec"] == {"replicas": 6}
    managed = (await api.get(f"{V1}/w")).tree["metadata"]["managedFields"]
    assert {each["manager"] for each in managed if "f:spec" in each["fieldsV1"]} == {"scaler"}
    # What one applies no longer goes, though it was applied in another version.
    assert (await apply(V1, "ann", {"count": 7}, "&force=true")).status == 200
    gone = await apply(V2, "ann", {})
    assert (gone.status, gone.tree.get("spec")) == (200, None)
    assert "spec" not in await widgets.stored()


async def test_a_list_is_one_review_and_selects_in_its_version(widgets: World) -> None:
    api = widgets.api
    for number in range(5):
        await widgets.make(f"w{number}", number)
    accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    table = await api.get(V2, headers=accept)
    assert [row["cells"] for row in table.tree["rows"]] == [[f"w{number}", number] for number in range(5)]
    assert [len(each["objects"]) for each in widgets.hook.asked] == [5]
    chosen = (await api.get(f"{V2}?fieldSelector=spec.amount.count%3D2")).tree["items"]
    assert [each["metadata"]["name"] for each in chosen] == ["w2"]
    refused = await api.get(f"{V1}?fieldSelector=spec.count%3D2")
    assert (refused.status, refused.message) == (400, "field label not supported: spec.count")
    one = await api.get(f"{V2}?limit=2")
    rest = await api.get(f"{V2}?limit=9&continue={one.tree['metadata']['continue']}")
    assert [each["spec"]["amount"]["count"] for each in one.tree["items"] + rest.tree["items"]] == [0, 1, 2, 3, 4]
    assert (await api.delete(V2)).status == 200
    assert (await api.get(V1)).tree["items"] == []


async def test_objects_of_old_storage_versions_are_read_and_migrated(widgets: World) -> None:
    api = widgets.api
    await widgets.make("w")
    before = await hashes(api)
    changed = await api.call("PUT", DEFINITION, {**(await api.get(DEFINITION)).tree, "spec": definition(widgets.hook.config, "v2")["spec"]})  # fmt: skip
    assert changed.tree["status"]["storedVersions"] == ["v1", "v2"]
    async with asyncio.timeout(5):
        while await hashes(api) == before:
            await asyncio.sleep(0.005)
    assert (await api.get(f"{V2}/w")).tree["spec"] == {"amount": {"count": 3}}
    assert (await widgets.stored())["apiVersion"] == "shop.test/v1"
    same = (await api.get(f"{V1}/w")).tree
    rewritten = await api.call("PUT", f"{V1}/w", same)
    assert rewritten.status == 200
    assert (await widgets.stored())["apiVersion"] == "shop.test/v2"
    assert rewritten.tree["metadata"]["resourceVersion"] != same["metadata"]["resourceVersion"]
    gone = definition(widgets.hook.config, "v2")["spec"]
    refused = await api.call("PUT", DEFINITION, {**(await api.get(DEFINITION)).tree, "spec": {**gone, "versions": gone["versions"][1:]}})  # fmt: skip
    assert 'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions' in refused.message


NAMED = "conversion webhook for shop.test/v1, Kind=Widget"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda one: one.update(uid="x"), f'{NAMED} failed: expected response.uid="UID", got "x"'),
        (lambda one: one.update(convertedObjects=[]), f"{NAMED} returned 0 objects, expected 1"),
        (lambda one: one.update(result={"status": "Failure", "message": "no way"}), f"{NAMED} failed: no way"),
        (
            lambda one: one.update(convertedObjects=[5]),
            f"{NAMED} returned invalid object at index 0: Object 'Kind' is missing",
        ),
        (
            lambda one: one["convertedObjects"][0].update(spec={"amount": json.loads("[" * 300 + "]" * 300)}),
            f"{NAMED} failed: couldn't get version/kind; json parse error: exceeded max depth",
        ),
        (lambda one: one.update(result={}), f"{NAMED} failed: response.result.status was '', not 'Success'"),
        (
            lambda one: one["convertedObjects"][0]["metadata"].update(name="other"),
            f"{NAMED} returned invalid object: must have the same name: w != other",
        ),
        (
            lambda one: one["convertedObjects"][0].update(apiVersion="shop.test/v3"),
            f"{NAMED} returned invalid object at index 0: invalid groupVersion (expected shop.test/v2, received shop.test/v3)",
        ),
        (
            lambda one: one["convertedObjects"][0].pop("metadata"),
            f"{NAMED} returned invalid object: must have the same name: w != ",
        ),
        (
            lambda one: one["convertedObjects"][0]["metadata"].update(labels={"x": 5}),
            f"{NAMED} returned invalid metadata: metadata.labels[x] must be a string, but is int64 in converted object",
        ),
    ],
)
async def test_wrong_answers_in_upstreams_words(widgets: World, spoil: Spoil, words: str) -> None:
    await widgets.make("w")
    widgets.converter.spoil = spoil
    failed = await widgets.api.get(f"{V2}/w")
    assert (failed.status, failed.message) == (500, words.replace("UID", widgets.hook.asked[-1]["uid"]))
    listed = await widgets.api.get(V2)
    assert listed.status == 500
    widgets.converter.spoil = lambda response: None
    # Nothing wrong is kept.
    assert (await widgets.api.get(f"{V2}/w")).tree["spec"]["amount"]["count"] == 3
    assert len((await widgets.api.get(V2)).tree["items"]) == 1


async def test_only_labels_and_annotations_are_the_webhooks(widgets: World) -> None:
    made = await widgets.make("w")

    def spoil(response: Tree) -> None:
        metadata = response["convertedObjects"][0]["metadata"]
        metadata.update(finalizers=["a.test/b"], generation=77, annotations={"a": "b"})

    widgets.converter.spoil = spoil
    metadata = (await widgets.api.get(f"{V2}/w")).tree["metadata"]
    assert (metadata["annotations"], metadata["labels"]) == ({"a": "b"}, {"seen-by": "webhook"})
    assert {key: value for key, value in metadata.items() if key not in ("labels", "annotations")} == made["metadata"]


async def test_nobody_answers(widgets: World, tmp_path: Path) -> None:
    api = widgets.api
    await widgets.make("w")
    port = 1
    await api.merge(
        DEFINITION, {"spec": {"conversion": {"webhook": {"clientConfig": {"url": f"https://127.0.0.1:{port}/x"}}}}}
    )
    async with asyncio.timeout(5):
        while (failed := await api.get(f"{V2}/w")).status == 200:
            await asyncio.sleep(0.005)
    url = f"https://127.0.0.1:{port}/x?timeout=30s"
    assert failed.message == f'{NAMED} failed: Post "{url}": dial tcp 127.0.0.1:{port}: connect: connection refused'
    assert (await api.get(f"{V1}/w")).status == 200
    assert (await api.delete(DEFINITION)).status == 200
    async with asyncio.timeout(5):
        while (await api.get(DEFINITION)).status != 404:
            await asyncio.sleep(0.005)


class Writer:
    """What a watch has sent."""

    def __init__(self) -> None:
        self.ending = asyncio.Event()
        self.events: list[Tree] = []

    def write(self, data: bytes) -> None:
        self.events += [json.loads(line) for line in data.splitlines()]

    def write_framed(self, data: bytes) -> None:
        self.write(data.partition(b"\r\n")[2].rstrip(b"\r\n"))

    def buffered(self) -> int:
        return 0

    async def until(self, count: int) -> list[tuple[str, Any]]:
        async with asyncio.timeout(5):
            while len(self.events) < count:
                await asyncio.sleep(0.005)
        return [
            (each["type"], (each["object"].get("spec") or {}).get("amount", {}).get("count")) for each in self.events
        ]


@asynccontextmanager
async def watching(api: Server, query: str) -> AsyncIterator[Writer]:
    answer = await api.raw("GET", f"{V2}?watch=true&{query}")
    assert isinstance(answer, StreamResponse), answer
    writer = Writer()
    async with asyncio.TaskGroup() as group:
        group.create_task(answer.run(writer))  # type: ignore[arg-type]
        yield writer
        writer.ending.set()


@pytest.mark.parametrize("query", ["", "fieldSelector=spec.amount.count%3D1"])
async def test_a_watch_that_begins_before_all_objects_sees_them(widgets: World, query: str) -> None:
    async with watching(widgets.api, query) as writer:
        await widgets.make("w", 1)
        assert await writer.until(1) == [("ADDED", 1)]


async def test_watches_are_converted_and_hold_nobody_up(widgets: World) -> None:
    api = widgets.api
    await widgets.make("w", 1)
    initial = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with watching(api, initial) as writer:
        assert await writer.until(2) == [("ADDED", 1), ("BOOKMARK", None)]
        assert writer.events[1]["object"]["apiVersion"] == "shop.test/v2"
        widgets.converter.open.clear()
        await widgets.make("x", 2)
        assert (await api.merge(f"{V1}/w", {"spec": {"count": 5}})).status == 200
        assert (await api.delete(f"{V1}/x")).status == 200
        # The webhook has not answered yet.
        assert len(writer.events) == 2
        widgets.converter.open.set()
        assert (await writer.until(5))[2:] == [("ADDED", 2), ("MODIFIED", 5), ("DELETED", 2)]
        # A webhook that fails ends the watch.
        widgets.converter.spoil = lambda response: response.update(result={})
        await widgets.make("y")
        async with asyncio.timeout(5):
            await writer.ending.wait()


async def configure(api: Server, kind: str, config: Tree, group: str, version: str, resource: str) -> None:
    rule = {"apiGroups": [group], "apiVersions": [version], "operations": ["CREATE", "UPDATE"], "resources": [resource]}
    webhook = {
        "name": "h.hooks.test", "clientConfig": config, "rules": [rule], "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }  # fmt: skip
    made = await api.post(
        f"{ADMISSION}/{kind}webhookconfigurations", {"metadata": {"name": f"h-{version}"}, "webhooks": [webhook]}
    )
    assert made.status == 201, made.message


async def test_webhooks_see_the_version_that_they_name(widgets: World, pki: Path) -> None:
    def decide(request: Tree) -> Tree:
        return patch({"op": "replace", "path": "/spec/count", "value": request["object"]["spec"]["count"] * 2})

    async with serving(pki, admitting(decide)) as hook:
        await configure(widgets.api, "mutating", hook.config, "shop.test", "v1", "widgets")
        made = await widgets.make("w", 4, V2)
        assert made["spec"]["amount"]["count"] == 8
        (request,) = hook.asked
        assert request["kind"] == {"group": "shop.test", "version": "v1", "kind": "Widget"}
        assert request["requestKind"] == {"group": "shop.test", "version": "v2", "kind": "Widget"}
        assert request["requestResource"] == {"group": "shop.test", "version": "v2", "resource": "widgets"}
        assert (request["object"]["apiVersion"], request["object"]["spec"]) == ("shop.test/v1", {"count": 4})


async def test_built_in_kinds_are_converted_for_webhooks_too(tmp_path: Path, pki: Path) -> None:
    def decide(request: Tree) -> Tree:
        return patch({"op": "replace", "path": "/spec/targetCPUUtilizationPercentage", "value": 40})

    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    }
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    path = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
    async with server(tmp_path) as api, serving(pki, admitting(decide)) as hook:
        await configure(api, "mutating", hook.config, "autoscaling", "v1", "horizontalpodautoscalers")
        spec = {"maxReplicas": 3, "scaleTargetRef": target, "metrics": [metric]}
        made = await api.post(path.format("v2"), {"metadata": {"name": "a"}, "spec": spec})
        assert made.tree["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 40
        spec = {"maxReplicas": 3, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 50}
        made = await api.post(path.format("v1"), {"metadata": {"name": "b"}, "spec": spec})
        assert made.tree["spec"]["targetCPUUtilizationPercentage"] == 40
        first, second = hook.asked
        assert first["object"]["apiVersion"] == second["object"]["apiVersion"] == "autoscaling/v1"
        assert (first["requestKind"]["version"], second["requestKind"]["version"]) == ("v2", "v1")
        assert first["object"]["spec"]["targetCPUUtilizationPercentage"] == 70


async def test_a_scale_is_what_webhooks_of_scales_see(widgets: World, pki: Path) -> None:
    def decide(request: Tree) -> Tree:
        return patch({"op": "replace", "path": "/spec/replicas", "value": request["object"]["spec"]["replicas"] + 1})

    async with serving(pki, admitting(decide)) as hook:
        await widgets.make("w")
        await configure(widgets.api, "mutating", hook.config, "shop.test", "v1", "widgets/scale")
        scaled = await widgets.api.merge(f"{V2}/w/scale", {"spec": {"replicas": 5}})
        assert (scaled.tree["kind"], scaled.tree["spec"]) == ("Scale", {"replicas": 6})
        assert (await widgets.stored())["spec"] == {"count": 6}
        (request,) = hook.asked
        assert request["kind"] == request["requestKind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        assert (request["resource"]["version"], request["requestResource"]["version"]) == ("v1", "v2")
        assert (request["subResource"], request["oldObject"]["kind"]) == ("scale", "Scale")

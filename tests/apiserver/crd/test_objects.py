"""Custom resources through the whole server: what is stored of them, and what is refused."""

import asyncio

import pytest
from tests.apiserver.crd.widgets import DEFINITIONS, SCHEMA, WIDGETS, definition, until, widget

MERGE = "application/merge-patch+json"


async def test_objects_are_defaulted_and_pruned(widgets):
    made = await widgets.call("POST", WIDGETS, widget(size=2, nosuch=1))
    assert made.status == 201
    assert made.body["spec"] == {"size": 2, "mode": "slow"}
    assert ("warning", '299 - "unknown field \\"spec.nosuch\\""') in made.headers


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, "spec.size: Required value"),
        ({"size": 0}, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ({"size": "x"}, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'),
        ({"size": 1, "mode": "x"}, 'spec.mode: Unsupported value: "x": supported values: "slow", "fast"'),
    ],
)
async def test_wrong_values_are_refused_in_words(widgets, spec, words):
    answer = await widgets.call("POST", WIDGETS, widget(**spec))
    assert answer.status == 422
    assert answer.body["message"] == f'Widget.shop.test "w" is invalid: {words}'


async def test_status_and_scale_write_their_parts(widgets):
    await widgets.call("POST", WIDGETS, widget(size=1) | {"status": {"phase": "lost"}})
    patch = {"status": {"phase": "Up"}, "spec": {"size": 9}}
    after = await widgets.call("PATCH", f"{WIDGETS}/w/status", patch, content_type=MERGE)
    assert (after.body["status"], after.body["spec"]["size"]) == ({"phase": "Up"}, 1)
    unset = await widgets.call("GET", f"{WIDGETS}/w/scale")
    words = 'the spec replicas field ".spec.replicas" does not exist'
    assert (unset.status, unset.body["message"]) == (500, f"Internal error occurred: {words}")
    scaled = await widgets.call("PATCH", f"{WIDGETS}/w/scale", {"spec": {"replicas": 3}}, content_type=MERGE)
    assert (scaled.body["kind"], scaled.body["spec"]) == ("Scale", {"replicas": 3})
    assert (await widgets.call("GET", f"{WIDGETS}/w")).body["spec"]["replicas"] == 3


async def test_a_dry_run_shows_what_would_be(widgets):
    await widgets.call("POST", WIDGETS, widget(size=1))
    tried = await widgets.call("PATCH", f"{WIDGETS}/w?dryRun=All", {"spec": {"size": 2}}, content_type=MERGE)
    assert (tried.body["spec"]["size"], tried.body["metadata"]["generation"]) == (2, 2)
    kept = await widgets.call("GET", f"{WIDGETS}/w")
    assert (kept.body["spec"]["size"], kept.body["metadata"]["generation"]) == (1, 1)


async def test_a_status_has_to_fit_the_schema_too(widgets):
    body = {"apiVersion": "shop.test/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    assert (await widgets.call("POST", WIDGETS, body)).status == 201
    refused = await widgets.call("PATCH", f"{WIDGETS}/w/status", {"status": 5}, content_type=MERGE)
    assert refused.status == 422
    assert refused.body["details"]["causes"][0]["field"] == "status"


async def test_a_pattern_takes_no_more_than_linear_time(api):
    made = definition("evils", "Evil")
    evil = {"type": "string", "pattern": "^(a+)+$"}
    made["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": {"type": "object", "properties": {"spec": evil}}}
    made["spec"]["versions"][0].pop("subresources")
    assert (await api.call("POST", DEFINITIONS, made)).status == 201
    path = WIDGETS.replace("widgets", "evils")
    await until(api, path, 200)
    body = {"apiVersion": "shop.test/v1", "kind": "Evil", "metadata": {"name": "e"}, "spec": "a" * 5000 + "b"}
    refused = await api.call("POST", path, body)
    assert (refused.status, refused.body["details"]["causes"][0]["field"]) == (422, "spec")


async def test_what_a_schema_says_later_is_seen_in_what_is_stored(widgets):
    await widgets.call("POST", WIDGETS, widget(size=1))
    assert (await widgets.call("GET", WIDGETS)).body["items"][0]["spec"] == {"size": 1, "mode": "slow"}
    later = definition()
    spec = dict(SCHEMA["properties"]["spec"]["properties"], color={"type": "string", "default": "red"})
    spec.pop("mode")
    later["spec"]["versions"][0]["schema"] = {
        "openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}}
    }
    later["spec"]["versions"][0] |= {"deprecated": True}
    later["spec"]["versions"][0].pop("subresources")
    await widgets.call("PATCH", f"{DEFINITIONS}/widgets.shop.test", {"spec": later["spec"]}, content_type=MERGE)
    async with asyncio.timeout(5):
        while (listed := await widgets.call("GET", WIDGETS)).body["items"][0]["spec"] != {"size": 1, "color": "red"}:
            await asyncio.sleep(0.005)
    assert ("warning", '299 - "shop.test/v1 Widget is deprecated"') in listed.headers
    found = (await widgets.call("GET", f"{WIDGETS}/w")).body
    assert (found["spec"], found["metadata"]["generation"]) == ({"size": 1, "color": "red"}, 1)
    # Without a status subresource every change counts but those of metadata.
    for patch, generation in (({"metadata": {"labels": {"a": "b"}}}, 1), ({"spec": {"size": 2}}, 2)):
        changed = await widgets.call("PATCH", f"{WIDGETS}/w", patch, content_type=MERGE)
        assert changed.body["metadata"]["generation"] == generation
    assert (await widgets.call("PATCH", f"{DEFINITIONS}/widgets.shop.test", {"spec": {"scope": "Cluster"}}, content_type=MERGE)).status == 422  # fmt: skip


async def test_a_scale_can_be_put_without_a_version(widgets):
    await widgets.call("POST", WIDGETS, widget(size=1))
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "w"}, "spec": {"replicas": 2}}
    assert (await widgets.call("PUT", f"{WIDGETS}/w/scale", scale)).status == 200
    refused = await widgets.call("PUT", f"{WIDGETS}/w/scale", {**scale, "spec": {"replicas": -1}})
    assert refused.body["details"]["causes"][-1]["message"] == "Invalid value: -1: should be a non-negative integer"


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"kind": "Other"}, 'Other.shop.test "w" is invalid: kind: Invalid value: "Other": must be Widget'),
        ({"apiVersion": "x/v1"}, 'Widget.x "w" is invalid: apiVersion: Invalid value: "x/v1": must be shop.test/v1'),
    ],
)
async def test_a_patch_makes_no_other_kind(widgets, patch, words):
    await widgets.call("POST", WIDGETS, widget(size=1))
    refused = await widgets.call("PATCH", f"{WIDGETS}/w", patch, content_type=MERGE)
    assert (refused.status, refused.body["message"]) == (422, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"metadata": {"name": "w"}}, "Object 'Kind' is missing in"),
        ({"kind": "Widget"}, "the API version in the data () does not match the expected API version (shop.test/v1)"),
        (
            {"kind": "Widget", "apiVersion": "shop.test/v1", "metadata": []},
            "cannot unmarshal array into Go value of type",
        ),
    ],
)
async def test_an_object_says_what_it_is(widgets, body, words):
    refused = await widgets.call("POST", WIDGETS, body)
    assert (refused.status, words in refused.body["message"]) == (400, True)


async def test_custom_resources_are_asked_by_verbs(widgets):
    made = {"apiVersion": "shop.test/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    assert (await widgets.call("POST", WIDGETS, made)).status == 201
    assert (await widgets.call("HEAD", f"{WIDGETS}/w")).status == 200
    assert (await widgets.call("HEAD", f"{WIDGETS}/x")).status == 404
    refused = await widgets.call("OPTIONS", WIDGETS)
    assert refused.body["message"] == ' is not supported on resources of kind "widgets.shop.test"'
    refused = await widgets.call("DELETE", f"{WIDGETS}/w/status")
    assert refused.body["message"] == 'delete is not supported on resources of kind "widgets.shop.test"'
    assert (await widgets.call("PUT", WIDGETS, made)).body["message"] == "name must be provided"
    assert (await widgets.call("POST", "/apis/shop.test/v1/widgets", made)).body == b"404 page not found\n"
    refused = await widgets.call("GET", f"{WIDGETS}/x", accept="application/vnd.kubernetes.protobuf")
    assert refused.body.startswith(b"k8s\x00")

"""Custom resources through the whole server: from a definition to objects, and back to nothing."""

import asyncio
import base64

import pytest

from pybernetes.apiserver.crd.names import new_status
from pybernetes.apiserver.crd.shape import Shape

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/shop.test/v1/namespaces/default/widgets"
MERGE = "application/merge-patch+json"
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "mode": {"type": "string", "default": "slow", "enum": ["slow", "fast"]},
                "replicas": {"type": "integer"},
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


def definition(plural="widgets", kind="Widget", **names):
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.shop.test"},
        "spec": {
            "group": "shop.test",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": [version],
        },
    }


@pytest.fixture
async def widgets(api):
    assert (await api.call("POST", DEFINITIONS, definition())).status == 201
    await until(api, WIDGETS, 200)
    return api


async def until(api, target, status):
    async with asyncio.timeout(5):
        while (await api.call("GET", target)).status != status:
            await asyncio.sleep(0.005)


def widget(**spec):
    return {"apiVersion": "shop.test/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


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


async def test_columns_and_discovery(widgets):
    await widgets.call("POST", WIDGETS, widget(size=4))
    table = await widgets.call("GET", WIDGETS, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert table.body["rows"][0]["cells"] == ["w", 4]
    listed = await widgets.call("GET", "/apis/shop.test/v1")
    assert [one["name"] for one in listed.body["resources"]] == ["widgets", "widgets/scale", "widgets/status"]


async def test_a_definition_takes_its_objects_along(widgets):
    await widgets.call("POST", WIDGETS, widget(size=1))
    await widgets.call("DELETE", f"{DEFINITIONS}/widgets.shop.test")
    await until(widgets, f"{DEFINITIONS}/widgets.shop.test", 404)
    assert (await widgets.call("GET", WIDGETS)).status == 404
    await widgets.call("POST", DEFINITIONS, definition())
    await until(widgets, WIDGETS, 200)
    assert (await widgets.call("GET", WIDGETS)).body["items"] == []


def test_a_name_that_is_taken_is_not_accepted():
    first = definition(shortNames=["wd"])
    first["status"] = new_status(first, [], "now")
    second = definition("others", "Other", shortNames=["wd"])
    status = new_status(second, [first], "now")
    told = {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}
    assert told == {"NamesAccepted": ("False", "ShortNamesConflict"), "Established": ("False", "NotAccepted")}


def test_lists_that_are_maps_hold_a_key_once():
    items = {"type": "object", "properties": {"k": {"type": "string"}}}
    source = {
        "type": "object",
        "properties": {
            "l": {"type": "array", "items": items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
        },
    }
    errors = Shape(source).validate({"l": [{"k": "a"}, {"k": "a"}]})
    assert [str(error) for error in errors] == ['l[1]: Duplicate value: {"k":"a"}']


def strict(size: int, **more: object) -> dict[str, object]:
    return {"metadata": {}, "spec": {"size": size, **more}}


def test_a_schema_that_became_stricter_holds_for_changes_only():
    shape = Shape(SCHEMA)
    assert shape.validate(strict(0))
    assert not shape.validate(strict(0, replicas=2), strict(0))
    assert [error.field for error in shape.validate(strict(-1), strict(0))] == ["spec.size"]
    assert [error.field for error in shape.validate(strict(0, mode="odd"), strict(0))] == ["spec.mode"]


def test_elements_are_the_same_ones_in_maps_only():
    item = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer", "maximum": 3}}}
    lists = {"type": "array", "items": item}
    keyed = lists | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    old = {"metadata": {}, "all": [{"name": "a", "n": 9}]}
    new = {"metadata": {}, "all": [{"name": "b", "n": 1}, {"name": "a", "n": 9}]}
    for source, wrong in ((lists, ["all[1].n"]), (keyed, [])):
        shape = Shape({"type": "object", "properties": {"all": source}})
        assert [error.field for error in shape.validate(new, old)] == wrong


async def test_a_status_has_to_fit_the_schema_too(widgets):
    body = {"apiVersion": "shop.test/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    assert (await widgets.call("POST", WIDGETS, body)).status == 201
    refused = await widgets.call("PATCH", f"{WIDGETS}/w/status", {"status": 5}, content_type=MERGE)
    assert refused.status == 422
    assert refused.body["details"]["causes"][0]["field"] == "status"


async def test_a_definition_always_stores_some_version(widgets):
    path = f"{DEFINITIONS}/widgets.shop.test/status"
    kept = await widgets.call("PATCH", path, {"status": {"storedVersions": []}}, content_type=MERGE)
    assert kept.body["status"]["storedVersions"] == ["v1"]


async def test_openapi_offers_only_the_patches_that_custom_resources_take(widgets):
    """kubectl merges by strategy whatever the document says to take, and finds no strategy in a custom schema."""
    paths = (await widgets.call("GET", "/openapi/v3/apis/shop.test/v1")).body["paths"]
    item = paths["/apis/shop.test/v1/namespaces/{namespace}/widgets/{name}"]
    assert set(item["patch"]["requestBody"]["content"]) == {
        "application/apply-patch+yaml", "application/json-patch+json", MERGE,
    }  # fmt: skip
    built_in = (await widgets.call("GET", "/openapi/v3/apis/batch/v1")).body["paths"]
    job = built_in["/apis/batch/v1/namespaces/{namespace}/jobs/{name}"]
    assert "application/strategic-merge-patch+json" in job["patch"]["requestBody"]["content"]


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


async def condition(api, name, kind):
    status = (await api.call("GET", f"{DEFINITIONS}/{name}")).body["status"]
    found = {one["type"]: (one["status"], one["reason"], one["message"]) for one in status.get("conditions") or []}
    return found.get(kind)


async def until_condition(api, name, kind, wanted):
    async with asyncio.timeout(5):
        while await condition(api, name, kind) != wanted:
            await asyncio.sleep(0.005)


async def test_names_that_become_free_are_given_to_who_waits(widgets):
    first = definition(shortNames=["wd"])
    await widgets.call("PATCH", f"{DEFINITIONS}/widgets.shop.test", {"spec": first["spec"]}, content_type=MERGE)
    async with asyncio.timeout(5):
        while "shortNames" not in (await widgets.call("GET", "/apis/shop.test/v1")).body["resources"][0]:
            await asyncio.sleep(0.005)
    await widgets.call("POST", DEFINITIONS, definition("others", "Other", shortNames=["wd"]))
    taken = ("False", "ShortNamesConflict", '"wd" is already in use')
    await until_condition(widgets, "others.shop.test", "NamesAccepted", taken)
    await widgets.call("DELETE", f"{DEFINITIONS}/widgets.shop.test")
    await until_condition(widgets, "others.shop.test", "Established", ("True", "InitialNamesAccepted", "the initial names have been accepted"))  # fmt: skip


async def test_while_objects_end_no_new_ones_begin(widgets):
    for number in range(100):
        body = widget(size=1) | {"metadata": {"name": f"w{number}"}}
        assert (await widgets.call("POST", WIDGETS, body)).status == 201
    held = widget(size=1) | {"metadata": {"name": "held", "finalizers": ["plain"]}}
    made = await widgets.call("POST", WIDGETS, held)
    words = "prefer a domain-qualified finalizer name to avoid accidental conflicts"
    assert any(f'metadata.finalizers: \\"plain\\": {words}' in value for _, value in made.headers)
    await widgets.call("DELETE", f"{DEFINITIONS}/widgets.shop.test")
    async with asyncio.timeout(10):
        while [one["metadata"]["name"] for one in (await widgets.call("GET", WIDGETS)).body["items"]] != ["held"]:
            await asyncio.sleep(0.005)
    progress = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
    assert await condition(widgets, "widgets.shop.test", "Terminating") == progress
    refused = await widgets.call("POST", WIDGETS, widget(size=1))
    assert (refused.status, refused.body["message"]) == (
        405, "create not allowed while custom resource definition is terminating",
    )  # fmt: skip
    released = await widgets.call("PATCH", f"{WIDGETS}/held", {"metadata": {"finalizers": []}}, content_type=MERGE)
    assert released.status == 200
    await until(widgets, f"{DEFINITIONS}/widgets.shop.test", 404)


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


async def test_groups_of_the_project_need_its_approval(api):
    made = definition()
    made["metadata"] = {
        "name": "widgets.shop.k8s.io", "annotations": {"api-approved.kubernetes.io": "unapproved, a test"},
    }  # fmt: skip
    made["spec"]["group"] = "shop.k8s.io"
    assert (await api.call("POST", DEFINITIONS, made)).status == 201
    told = ("False", "UnapprovedAnnotation", 'not approved: "unapproved, a test"')
    await until_condition(api, "widgets.shop.k8s.io", "KubernetesAPIApprovalPolicyConformant", told)


def test_objects_inside_of_objects():
    inner = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}}
    shape = Shape({"type": "object", "properties": {"inner": inner}})
    given = {"apiVersion": "a/b/c", "kind": "Po d", "metadata": {"name": "x", "nosuch": 1}, "more": 2}
    made, unknown = shape.prepare({"metadata": {}, "inner": given})
    assert (made["inner"]["metadata"], unknown) == ({"name": "x"}, ["inner.more", "inner.metadata.nosuch"])
    assert [error.field for error in shape.validate(made)] == ["inner.apiVersion", "inner.kind"]
    assert [str(error) for error in shape.validate({"metadata": {}, "inner": {}})] == [
        "inner.apiVersion: Required value", "inner.kind: Required value",
    ]  # fmt: skip


async def test_the_published_schema_has_what_every_object_has(widgets):
    document = (await widgets.call("GET", "/openapi/v3/apis/shop.test/v1")).body
    schemas, name = document["components"]["schemas"], "test.shop.v1.Widget"
    assert schemas[name]["properties"]["metadata"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    ]
    assert schemas[f"{name}List"]["properties"]["items"]["items"] == {"$ref": f"#/components/schemas/{name}"}
    assert "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in schemas
    paths = document["paths"]
    collection = paths["/apis/shop.test/v1/namespaces/{namespace}/widgets"]
    assert {one: paths_of["operationId"] for one, paths_of in collection.items() if one != "parameters"} == {
        "get": "listShopTestV1NamespacedWidget", "post": "createShopTestV1NamespacedWidget",
        "delete": "deleteShopTestV1CollectionNamespacedWidget",
    }  # fmt: skip
    assert [one["name"] for one in collection["parameters"]] == ["namespace", "pretty"]
    assert [one["name"] for one in collection["post"]["parameters"]] == ["dryRun", "fieldManager", "fieldValidation"]
    swagger = (await widgets.call("GET", "/openapi/v2")).body
    # What kubectl would read wrongly in a v2 schema says less there.
    assert swagger["definitions"][name]["properties"]["status"] == {"x-kubernetes-preserve-unknown-fields": True}
    assert swagger["definitions"][name]["properties"]["metadata"]["$ref"].startswith("#/definitions/")
    item = swagger["paths"]["/apis/shop.test/v1/namespaces/{namespace}/widgets/{name}/scale"]
    assert item["get"]["responses"]["200"]["schema"] == {"$ref": "#/definitions/io.k8s.api.autoscaling.v1.Scale"}


def test_what_stood_twice_may_go_on_doing_so():
    shape = Shape(
        {
            "type": "object",
            "properties": {
                "s": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                "n": {"type": "integer"},
            },
        }
    )
    twice = {"metadata": {}, "s": ["a", "a"]}
    assert [str(error) for error in shape.validate(twice)] == ['s[1]: Duplicate value: "a"']
    assert shape.validate({**twice, "s": ["b", "b"], "n": 1}, twice) == []
    assert shape.validate(twice, {"metadata": {}, "s": ["a"]})


async def test_defaults_are_values_that_their_fields_can_have(api):
    made = definition()
    inner = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 3}}}
    properties = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"] | {
        "big": {**inner, "default": {"n": 4}}, "more": {**inner, "default": {"m": 1}},
        "word": {"type": "integer", "default": "x"},
    }  # fmt: skip
    made["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": {"type": "object", "properties": properties}}
    made["spec"]["conversion"] = {"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}
    refused = await api.call("POST", DEFINITIONS, made)
    causes = {one["field"].rpartition("properties")[2]: one["message"] for one in refused.body["details"]["causes"]}
    assert causes == {
        "[big].default.n": "Invalid value: 4: n in body should be less than or equal to 3",
        "[more].default": 'Invalid value: {"m":1}: must not have unknown fields',
        "[word].default": 'Invalid value: "string":  in body must be of type integer: "string"',
        "spec.conversion.conversionReviewVersions": "Forbidden: should not be set when strategy is not set to Webhook",
    }


async def test_defaults_obey_the_rules_of_their_place(api):
    made = definition()
    rules = [{"rule": "self.n < 3", "message": "n is too big"}, {"rule": "self.n >= oldSelf.n"}]
    inner = {"type": "object", "properties": {"n": {"type": "integer"}}}
    once = {"rule": "oldSelf.hasValue() || self != 'late'", "optionalOldSelf": True, "message": "not at first"}
    properties = {
        "big": {**inner, "x-kubernetes-validations": rules, "default": {"n": 3}},
        "small": {**inner, "x-kubernetes-validations": rules, "default": {"n": 2}},
        "below": {
            "type": "object", "default": {"words": ["ab", "c"]},
            "properties": {"words": {"type": "array", "maxItems": 3, "items": {
                "type": "string", "maxLength": 5, "x-kubernetes-validations": [{"rule": "self.size() < 2"}],
            }}},
        },
        "time": {"type": "string", "maxLength": 9, "default": "late", "x-kubernetes-validations": [once]},
    }  # fmt: skip
    made["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": {"type": "object", "properties": properties}}
    refused = await api.call("POST", DEFINITIONS, made)
    causes = {
        one["field"].rpartition("openAPIV3Schema.")[2]: one["message"] for one in refused.body["details"]["causes"]
    }
    assert causes == {
        "properties[big].default": "Invalid value: n is too big",
        "properties[below].default.words[0]": 'Invalid value: "ab": failed rule: self.size() < 2',
        "properties[time].default": 'Invalid value: "late": not at first',
    }
    for name in ("big", "below", "time"):
        del properties[name]
    assert (await api.call("POST", DEFINITIONS, made)).status == 201


async def test_a_conversion_webhook_that_nobody_can_trust(api):
    config = {"url": "https://127.0.0.1:1/convert", "caBundle": base64.b64encode(b"no certificate").decode()}
    made = definition()
    made["spec"]["conversion"] = {"strategy": "Webhook", "webhook": {"clientConfig": config, "conversionReviewVersions": ["v1"]}}  # fmt: skip
    assert (await api.call("POST", DEFINITIONS, made)).status == 201
    own = f"{DEFINITIONS}/widgets.shop.test"

    async def established():
        while True:
            status = (await api.call("GET", own)).body.get("status") or {}
            found = {one["type"]: one for one in status.get("conditions") or ()}.get("Established")
            if found is not None:
                return {key: found[key] for key in ("status", "reason", "message")}
            await asyncio.sleep(0)

    assert await established() == {
        "status": "False", "reason": "InvalidCABundle", "message": "The conversion webhook CABundle is invalid",
    }  # fmt: skip
    without = {"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": None}}}}}
    assert (await api.call("PATCH", own, without, content_type=MERGE)).status == 200
    while (await established())["status"] != "True":
        await asyncio.sleep(0)
    for text, words in (
        (b"x", "unable to parse bytes as PEM block"),
        (b"-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n", "no valid certificate authority data seen"),
    ):
        bundle = base64.b64encode(text).decode()
        bad = {"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": bundle}}}}}
        refused = await api.call("PATCH", own, bad, content_type=MERGE)
        assert refused.status == 422
        (cause,) = refused.body["details"]["causes"]
        assert cause["field"] == "spec.conversion.webhookClientConfig.caBundle"
        assert cause["message"] == f'Invalid value: "{bundle}": unable to load root certificates: {words}'


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

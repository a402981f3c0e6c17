"""Definitions through the whole server: their names, their schemas, their approval, and their end."""

import asyncio
import base64

from tests.apiserver.crd.widgets import DEFINITIONS, WIDGETS, condition, definition, until, until_condition, widget

from pybernetes.apiserver.crd.names import new_status

MERGE = "application/merge-patch+json"


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


async def test_a_definition_always_stores_some_version(widgets):
    path = f"{DEFINITIONS}/widgets.shop.test/status"
    kept = await widgets.call("PATCH", path, {"status": {"storedVersions": []}}, content_type=MERGE)
    assert kept.body["status"]["storedVersions"] == ["v1"]


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


async def test_groups_of_the_project_need_its_approval(api):
    made = definition()
    made["metadata"] = {
        "name": "widgets.shop.k8s.io", "annotations": {"api-approved.kubernetes.io": "unapproved, a test"},
    }  # fmt: skip
    made["spec"]["group"] = "shop.k8s.io"
    assert (await api.call("POST", DEFINITIONS, made)).status == 201
    told = ("False", "UnapprovedAnnotation", 'not approved: "unapproved, a test"')
    await until_condition(api, "widgets.shop.k8s.io", "KubernetesAPIApprovalPolicyConformant", told)


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

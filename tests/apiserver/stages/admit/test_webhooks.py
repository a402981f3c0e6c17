"""Webhooks over real HTTPS, and policies that change objects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.hooks import Hook, Raw, admitting, patch, pki, serving
from tests.apiserver.inprocess import Server, metrics, server

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
RULES = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]

__all__ = ["pki"]

Decide = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        yield made


@asynccontextmanager
async def hook(pki: Path, decide: Decide) -> AsyncIterator[Hook]:
    async with serving(pki, admitting(decide)) as made:
        yield made


async def configure(cluster: Server, kind: str, config: dict[str, Any], name: str = "h", **more: Any) -> None:
    webhook = {
        "name": f"{name}.hooks.test", "clientConfig": config, "rules": RULES, "sideEffects": "None",
        "admissionReviewVersions": ["v1"], **more,
    }  # fmt: skip
    made = await cluster.post(
        f"{ADMISSION}/{kind}webhookconfigurations", {"metadata": {"name": name}, "webhooks": [webhook]}
    )
    assert made.status == 201, made.message


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": {"k": "v", **data}}


def _sum(lines: list[str], name: str) -> float:
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name}_sum"))


async def test_refusal_in_upstreams_words(cluster: Server, pki: Path) -> None:
    def decide(request: dict[str, Any]) -> dict[str, Any]:
        refused = {"allowed": False, "status": {"code": 403, "reason": "Forbidden", "message": "no x"}}
        return refused if request["name"] == "x" else {"warnings": ["mind the gap"]}

    async with hook(pki, decide) as made:
        await configure(cluster, "validating", made.config)
        refused = await cluster.post(CONFIG_MAPS, config_map("x"))
        assert (refused.status, refused.message) == (403, 'admission webhook "h.hooks.test" denied the request: no x')
        answer = await cluster.raw("POST", CONFIG_MAPS, config_map("y"))
        assert ("warning", '299 - "mind the gap"') in answer.headers
    of = 'name="h.hooks.test",type="validating",operation="CREATE"'
    found = await metrics(cluster)
    for line in (
        f'apiserver_admission_webhook_admission_duration_seconds_count{{{of},rejected="true"}} 1',
        f'apiserver_admission_webhook_admission_duration_seconds_count{{{of},rejected="false"}} 1',
        f'apiserver_admission_webhook_rejection_count{{{of},error_type="no_error",rejection_code="403"}} 1',
    ):
        assert line in found
    assert _sum(found, "apiserver_request_duration_seconds") - _sum(
        found, "apiserver_request_sli_duration_seconds"
    ) >= (_sum(found, "apiserver_admission_webhook_admission_duration_seconds"))
    (first, _) = made.asked
    assert first["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert (first["operation"], first["namespace"], first["oldObject"]) == ("CREATE", "default", None)
    assert first["object"]["kind"] == "ConfigMap"
    assert first["userInfo"]["username"] == "admin"


async def test_object_is_changed_by_one_after_the_other(cluster: Server, pki: Path) -> None:
    def add(key: str) -> Decide:
        return lambda request: patch(
            {"op": "add", "path": f"/data/{key}", "value": str(len(request["object"]["data"]))}
        )

    async with hook(pki, add("a")) as one, hook(pki, add("b")) as other:
        await configure(cluster, "mutating", one.config, "one", reinvocationPolicy="IfNeeded")
        await configure(cluster, "mutating", other.config, "two")
        made = await cluster.post(CONFIG_MAPS, config_map("x"))
        assert made.tree["data"] == {"k": "v", "a": "3", "b": "2"}
        assert (len(one.asked), len(other.asked)) == (2, 1)


async def test_what_is_sent_to_a_status_is_seen_whole_and_written_in_part(cluster: Server, pki: Path) -> None:
    """The first webhooks see what the client sent; neither it nor they change more than the part."""
    replicas = {"op": "replace", "path": "/spec/replicas", "value": 7}
    rules = [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["*/status"]}]
    labels = {"a": "b"}
    spec = {
        "replicas": 1, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "r.test/a"}]}},
    }  # fmt: skip
    sets = "/apis/apps/v1/namespaces/default/replicasets"
    assert (await cluster.post(sets, {"metadata": {"name": "x"}, "spec": spec})).status == 201
    async with hook(pki, lambda request: patch(replicas)) as one, hook(pki, lambda request: {}) as other:
        await configure(cluster, "mutating", one.config, rules=rules)
        await configure(cluster, "validating", other.config, rules=rules)
        sent = {"metadata": {"name": "x"}, "spec": {**spec, "replicas": 5}, "status": {"replicas": 3}}
        made = await cluster.call("PUT", f"{sets}/x/status", sent)
        assert (made.tree["spec"]["replicas"], made.tree["status"]["replicas"]) == (1, 3)
        seen = [asked["object"]["spec"]["replicas"] for asked in (*one.asked, *other.asked)]
        assert seen == [5, 1]


async def test_failure_policy_decides_about_webhooks_that_do_not_answer(cluster: Server, pki: Path) -> None:
    async with hook(pki, lambda request: {}) as made:
        gone = made.config
    await configure(cluster, "validating", gone)
    refused = await cluster.post(CONFIG_MAPS, config_map("x"))
    assert refused.status == 500
    url = f"{gone['url']}?timeout=10s"
    assert refused.message == (
        f'Internal error occurred: failed calling webhook "h.hooks.test": failed to call webhook: Post "{url}": '
        f"dial tcp 127.0.0.1:{made.port}: connect: connection refused"
    )
    path = f"{ADMISSION}/validatingwebhookconfigurations/h"
    configuration = (await cluster.get(path)).tree
    configuration["webhooks"][0]["failurePolicy"] = "Ignore"
    assert (await cluster.call("PUT", path, configuration)).status == 200
    assert (await cluster.post(CONFIG_MAPS, config_map("x"))).status == 201
    counted = 'apiserver_admission_webhook_fail_open_count{name="h.hooks.test",type="validating"} 1'
    assert counted in await metrics(cluster)


@pytest.mark.parametrize(
    "answer",
    [
        {"warnings": 5}, {"warnings": [5]}, {"auditAnnotations": []}, {"auditAnnotations": {"a": {}}}, {"status": "x", "allowed": False},
        {"status": {"code": "x", "message": []}, "allowed": False}, {"allowed": "yes"}, {"patch": 5, "patchType": "JSONPatch"},
        {"patch": "é", "patchType": "JSONPatch"}, {"patch": "W1tbW1tb", "patchType": "JSONPatch"}, {"uid": []}, {"uid": None},
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["validating", "mutating"])
async def test_answers_that_are_none(
    cluster: Server, pki: Path, kind: str, answer: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A webhook's failure is its own: told in words, or passed over where failures are ignored."""
    async with hook(pki, lambda request: answer) as made:
        await configure(cluster, kind, made.config)
        refused = await cluster.post(CONFIG_MAPS, config_map("x"))
        if kind == "mutating" or "patch" not in answer:
            assert refused.status == 500
            assert refused.message.startswith('Internal error occurred: failed calling webhook "h.hooks.test": ')
        path = f"{ADMISSION}/{kind}webhookconfigurations/h"
        configuration = (await cluster.get(path)).tree
        configuration["webhooks"][0]["failurePolicy"] = "Ignore"
        await cluster.call("PUT", path, configuration)
        assert (await cluster.post(CONFIG_MAPS, config_map("y"))).status == 201
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_webhook_with_another_certificate_is_not_trusted(cluster: Server, pki: Path) -> None:
    async with hook(pki, lambda request: {}) as made:
        await configure(cluster, "validating", {**made.config, "caBundle": ""})
        refused = await cluster.post(CONFIG_MAPS, config_map("x"))
    assert "x509: " in refused.message
    assert made.asked == []


async def test_conditions_save_the_call(cluster: Server, pki: Path) -> None:
    condition = [{"name": "big", "expression": "object.data.size() > 1"}]
    async with hook(pki, lambda request: {"allowed": False}) as made:
        await configure(cluster, "validating", made.config, matchConditions=condition)
        assert (await cluster.post(CONFIG_MAPS, config_map("x"))).status == 201
        refused = await cluster.post(CONFIG_MAPS, config_map("y", more="data"))
        assert refused.message == 'admission webhook "h.hooks.test" denied the request without explanation'


async def test_conditions_are_compiled_when_they_are_made(cluster: Server, pki: Path) -> None:
    async with hook(pki, lambda request: {}) as made:
        await configure(cluster, "validating", made.config, matchConditions=[{"name": "a", "expression": "true"}])
    path = f"{ADMISSION}/validatingwebhookconfigurations/h"
    wrong = [
        {"name": "a", "expression": "object.x >"}, {"name": "a", "expression": "params.x"}, {"name": "", "expression": ""},
        {"name": "b", "expression": "'text'"},
    ]  # fmt: skip
    configuration = (await cluster.get(path)).tree
    configuration["webhooks"][0]["matchConditions"] = wrong
    refused = await cluster.call("PUT", path, configuration)
    at = "webhooks[0].matchConditions"
    causes = {each["field"].removeprefix(at): each["message"] for each in refused.tree["details"]["causes"]}
    assert causes["[0].expression"].startswith(
        'Invalid value: "object.x >": compilation failed: ERROR: <input>:1:11: Syntax error'
    )
    assert "undeclared reference to 'params' (in container '')" in causes["[1].expression"]
    assert causes["[1].name"] == 'Duplicate value: "a"'
    assert (causes["[2].expression"], causes["[2].name"]) == ("Required value", "Required value")
    assert causes["[3].expression"] == "Invalid value: \"'text'\": must evaluate to bool but got string"


async def test_side_effects_and_dry_runs(cluster: Server, pki: Path) -> None:
    async with hook(pki, lambda request: {}) as made:
        await configure(cluster, "validating", made.config)
        assert (await cluster.post(f"{CONFIG_MAPS}?dryRun=All", config_map("x"))).status == 201
        assert made.asked[0]["dryRun"] is True


async def mutate(cluster: Server, *mutations: dict[str, Any], **spec: Any) -> None:
    policies = f"{ADMISSION}/mutatingadmissionpolicies"
    body = {"matchConstraints": {"resourceRules": RULES}, "mutations": list(mutations), "reinvocationPolicy": "Never", **spec}  # fmt: skip
    made = await cluster.post(policies, {"metadata": {"name": "p"}, "spec": body})
    assert made.status == 201, made.message
    binding = {"metadata": {"name": "b"}, "spec": {"policyName": "p"}}
    assert (await cluster.post(f"{ADMISSION}/mutatingadmissionpolicybindings", binding)).status == 201


async def test_policy_applies_a_configuration(cluster: Server) -> None:
    expression = "Object{metadata: Object.metadata{labels: {'made-by': request.userInfo.username}}}"
    await mutate(cluster, {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}})
    made = await cluster.post(CONFIG_MAPS, {"metadata": {"name": "x", "labels": {"a": "b"}}})
    assert made.tree["metadata"]["labels"] == {"a": "b", "made-by": "admin"}


async def test_policy_applies_a_json_patch(cluster: Server) -> None:
    expression = (
        "[JSONPatch{op: 'test', path: '/data/k', value: 'v'}, "
        "JSONPatch{op: 'add', path: '/data/' + jsonpatch.escapeKey('a'), value: string(object.data.size())}]"
    )
    await mutate(cluster, {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}})
    assert (await cluster.post(CONFIG_MAPS, config_map("x"))).tree["data"] == {"k": "v", "a": "1"}
    refused = await cluster.post(CONFIG_MAPS, {"metadata": {"name": "y"}})
    assert refused.status == 403
    assert "policy 'p' with binding 'b' denied request" in refused.message


async def test_mutation_that_does_not_compile_is_refused(cluster: Server) -> None:
    mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{nosuch: 1}]"}}
    body = {"matchConstraints": {"resourceRules": RULES}, "mutations": [mutation], "reinvocationPolicy": "Never"}
    refused = await cluster.post(f"{ADMISSION}/mutatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": body})
    assert refused.status == 422
    assert "spec.mutations[0].jsonPatch.expression" in refused.message
    assert "expected type of field 'nosuch' is ''" in refused.message


async def test_other_plugins_see_what_webhooks_made_too(cluster: Server, pki: Path) -> None:
    def inject(request: dict[str, Any]) -> dict[str, Any]:
        container = {"name": "side", "image": "i"}
        return patch({"op": "add", "path": "/spec/containers/-", "value": container})

    pods = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    limits = [{"type": "Container", "default": {"cpu": "100m"}}]
    core = "/api/v1/namespaces/default"
    await cluster.post(f"{core}/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": limits}})
    async with hook(pki, inject) as one, hook(pki, lambda request: {}) as other:
        await configure(cluster, "mutating", one.config, "one", rules=pods)
        await configure(cluster, "mutating", other.config, "two", rules=pods, reinvocationPolicy="IfNeeded")
        pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        made = await cluster.post(f"{core}/pods", pod)
        assert [each["resources"]["limits"]["cpu"] for each in made.tree["spec"]["containers"]] == ["100m", "100m"]
        # The second saw a pod without limits, and now sees what was defaulted.
        assert (len(one.asked), len(other.asked)) == (1, 2)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (
            {"op": "remove", "path": "/data/nosuch"},
            "error in remove for path: '/data/nosuch': Unable to remove nonexistent key: nosuch: missing value",
        ),
        ({"op": "frob", "path": "/data/x"}, "Unexpected kind: frob"),
    ],
)
async def test_patches_that_do_not_apply_are_nobodys_to_ignore(
    cluster: Server, pki: Path, operation: dict[str, Any], words: str
) -> None:
    async with hook(pki, lambda request: patch(operation)) as made:
        await configure(cluster, "mutating", made.config, failurePolicy="Ignore")
        refused = await cluster.post(CONFIG_MAPS, config_map("x"))
    assert (refused.status, refused.message) == (500, f"Internal error occurred: {words}")


async def test_redirects_are_followed(cluster: Server, pki: Path) -> None:
    async with hook(pki, lambda request: {}) as target:

        async def lead(review: dict[str, Any]) -> Raw:
            return Raw(307, headers=(f"Location: {target.config['url']}",))

        async with serving(pki, lead) as made:
            await configure(cluster, "validating", made.config)
            assert (await cluster.post(CONFIG_MAPS, config_map("x"))).status == 201
    assert target.asked == made.asked
    assert target.asked[0]["name"] == "x"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Raw(500, "boom"), 'an error on the server ("boom") has prevented the request from succeeding'),
        (Raw(503, "{}", ("Content-Type: application/json",)), "the server is currently unable to handle the request"),
        (Raw(500, '{"kind":"Status","apiVersion":"v1","status":"Failure","message":"oh no"}'), "oh no"),
        (Raw(200, ""), "0-length response with status code: 200 and content type: application/json"),
    ],
)
async def test_what_is_no_answer_is_told_in_upstreams_words(
    cluster: Server, pki: Path, answer: Raw, words: str
) -> None:
    async def reply(review: dict[str, Any]) -> Raw:
        return answer

    async with serving(pki, reply) as made:
        await configure(cluster, "validating", made.config)
        refused = await cluster.post(CONFIG_MAPS, config_map("x"))
    failed = 'Internal error occurred: failed calling webhook "h.hooks.test": failed to call webhook'
    assert (refused.status, refused.message) == (500, f"{failed}: {words}")


async def test_reviews_of_the_first_version(cluster: Server, pki: Path) -> None:
    """They are trusted more: neither uid nor the type of the patch is looked at."""

    async def answer(review: dict[str, Any]) -> dict[str, Any]:
        made = {**patch({"op": "add", "path": "/data/x", "value": "y"}), "uid": "other", "allowed": True}
        return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": made | {"patchType": None}}

    async with serving(pki, answer) as made:
        await configure(cluster, "mutating", made.config, admissionReviewVersions=["v0", "v1beta1", "v1"])
        assert (await cluster.post(CONFIG_MAPS, config_map("x"))).tree["data"]["x"] == "y"


async def test_actions_are_seen_as_what_they_are_told_with(cluster: Server, pki: Path) -> None:
    """A webhook about evictions or bindings meets these, and not the deletion or the change that they lead to."""
    rules = [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["pods", "pods/*"]}]
    pods = "/api/v1/namespaces/default/pods"
    await cluster.post(pods, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    async with hook(pki, lambda request: {}) as made:
        await configure(cluster, "validating", made.config, rules=rules)
        binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
        assert (await cluster.post(f"{pods}/p/binding", binding)).status == 201
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
        assert (await cluster.post(f"{pods}/p/eviction", eviction)).status == 201
    seen = [(one["operation"], one["subResource"], one["object"]["kind"], one["oldObject"]) for one in made.asked]
    assert seen == [("CREATE", "binding", "Binding", None), ("CREATE", "eviction", "Eviction", None)]
    assert made.asked[1]["kind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}
    assert made.asked[1]["options"] == {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}


async def test_what_webhooks_did_is_noted(cluster: Server, pki: Path) -> None:
    """Warnings that no header can hold are not told."""

    def decide(request: dict[str, Any]) -> dict[str, Any]:
        return {"warnings": ["fine", "line\nbreak"], **patch({"op": "add", "path": "/data/x", "value": "y"})}

    async with hook(pki, decide) as made:
        await configure(cluster, "mutating", made.config)
        answer = await cluster.raw("POST", CONFIG_MAPS, config_map("x"))
    assert [value for name, value in answer.headers if name == "warning"] == ['299 - "fine"']

"""Policies in CEL over the whole server: who is refused, warned or let through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, metrics, server

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
RULES = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        yield made


async def add(cluster: Server, *validations: dict[str, Any], actions: tuple[str, ...] = ("Deny",), **spec: Any) -> None:
    body = {"matchConstraints": {"resourceRules": RULES}, "validations": list(validations), **spec}
    made = await cluster.post(f"{ADMISSION}/validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": body})
    assert made.status == 201, made.message
    binding = {"policyName": "p", "validationActions": list(actions)}
    made = await cluster.post(
        f"{ADMISSION}/validatingadmissionpolicybindings", {"metadata": {"name": "b"}, "spec": binding}
    )
    assert made.status == 201, made.message


def config_map(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}, "data": {"size": "5"}}


async def test_denied_in_upstreams_words(cluster: Server) -> None:
    await add(cluster, {"expression": "object.metadata.name != 'no'", "message": "not this one", "reason": "Forbidden"})
    refused = await cluster.post(CONFIG_MAPS, config_map("no"))
    assert refused.status == 403
    assert refused.message == (
        "configmaps \"no\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not this one"
    )
    assert (await cluster.post(CONFIG_MAPS, config_map("yes"))).status == 201
    found = await metrics(cluster)
    checked = 'apiserver_validating_admission_policy_check_total{policy="p",policy_binding="b",error_type="no_error"'
    assert {f'{checked},enforcement_action="deny"}} 1', f'{checked},enforcement_action="allow"}} 1'} <= set(found)
    assert "apiserver_cel_compilation_duration_seconds_count 1" in found


async def test_failure_policy_decides_about_errors(cluster: Server) -> None:
    await add(cluster, {"expression": "object.spec.nosuch == 1"})
    refused = await cluster.post(CONFIG_MAPS, config_map("a"))
    assert refused.status == 422
    assert "expression 'object.spec.nosuch == 1' resulted in error: no such key: spec" in refused.message
    await cluster.merge(f"{ADMISSION}/validatingadmissionpolicies/p", {"spec": {"failurePolicy": "Ignore"}})
    assert (await cluster.post(CONFIG_MAPS, config_map("a"))).status == 201


async def test_conditions_variables_and_the_authorizer(cluster: Server) -> None:
    await add(
        cluster,
        {"expression": "variables.long", "messageExpression": "'too short: ' + object.metadata.name"},
        {"expression": "authorizer.requestResource.check('delete').allowed()", "message": "may not delete"},
        variables=[{"name": "long", "expression": "object.metadata.name.size() > 2"}],
        matchConditions=[{"name": "creations", "expression": "request.operation == 'CREATE'"}],
    )
    assert "too short: a" in (await cluster.post(CONFIG_MAPS, config_map("a"))).message
    assert (await cluster.post(CONFIG_MAPS, config_map("long"))).status == 201
    assert (await cluster.merge(f"{CONFIG_MAPS}/long", {"data": {"x": "y"}})).status == 200
    assert (await cluster.delete(f"{CONFIG_MAPS}/long")).status == 200


async def test_namespaces_and_objects_are_selected(cluster: Server) -> None:
    selected = {"resourceRules": RULES, "objectSelector": {"matchLabels": {"checked": "yes"}}}
    await add(cluster, {"expression": "false"}, matchConstraints=selected)
    assert (await cluster.post(CONFIG_MAPS, config_map("free"))).status == 201
    assert (await cluster.post(CONFIG_MAPS, config_map("bad", labels={"checked": "yes"}))).status == 422
    # What was selected stays so while it changes.
    assert (await cluster.merge(f"{CONFIG_MAPS}/free", {"metadata": {"labels": {"checked": "yes"}}})).status == 422


async def test_warning_lets_through(cluster: Server) -> None:
    await add(cluster, {"expression": "false", "message": "think again"}, actions=("Warn",))
    answer = await cluster.raw("POST", CONFIG_MAPS, config_map("a"))
    warning = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': think again"
    assert ("warning", f'299 - "{warning}"') in answer.headers


async def test_expression_that_does_not_compile_is_refused(cluster: Server) -> None:
    spec = {"matchConstraints": {"resourceRules": RULES}, "validations": [{"expression": "object.x >"}]}
    refused = await cluster.post(f"{ADMISSION}/validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
    assert refused.status == 422
    assert 'spec.validations[0].expression: Invalid value: "object.x >": compilation failed: ERROR: <input>:1:11' in (
        refused.message
    )
    spec["validations"] = [{"expression": "request.nosuch == 'x'"}]
    refused = await cluster.post(f"{ADMISSION}/validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
    assert "undefined field 'nosuch'" in refused.message


async def test_policies_can_be_removed_whatever_they_say(cluster: Server) -> None:
    everything = [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}]
    await add(cluster, {"expression": "false"}, matchConstraints={"resourceRules": everything})
    assert (await cluster.post(CONFIG_MAPS, config_map("a"))).status == 422
    assert (await cluster.delete(f"{ADMISSION}/validatingadmissionpolicies/p")).status == 200
    assert (await cluster.post(CONFIG_MAPS, config_map("a"))).status == 201


async def test_a_patch_whose_test_does_not_hold_is_for_other_objects(cluster: Server) -> None:
    patch = '[JSONPatch{op: "test", path: "/data/k", value: "v"}, JSONPatch{op: "add", path: "/data/x", value: "y"}]'
    spec = {
        "matchConstraints": {"resourceRules": RULES},
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
        "reinvocationPolicy": "Never",
    }
    await cluster.post(f"{ADMISSION}/mutatingadmissionpolicies", {"metadata": {"name": "m"}, "spec": spec})
    binding = {"metadata": {"name": "m"}, "spec": {"policyName": "m"}}
    await cluster.post(f"{ADMISSION}/mutatingadmissionpolicybindings", binding)
    meant = await cluster.post(CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {"k": "v"}})
    assert meant.tree["data"] == {"k": "v", "x": "y"}
    other = await cluster.post(CONFIG_MAPS, {"metadata": {"name": "b"}, "data": {"k": "w"}})
    assert (other.status, other.tree["data"]) == (201, {"k": "w"})

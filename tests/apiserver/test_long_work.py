"""While one request is long work, others are answered."""

import asyncio
import copy

import pytest
from tests.apiserver.crd.widgets import DEFINITIONS, WIDGETS, definition, until, widget

from pybernetes.aio import turns
from pybernetes.apiserver import yaml_documents

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
SECRETS = "/api/v1/namespaces/default/secrets"
LIMIT = "operation cancelled: actual cost limit exceeded"
MANY = 100


@pytest.fixture(autouse=True)
def short_turns(monkeypatch):
    """The machine's speed does not count."""
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)


async def overtaken(api, *request):
    """The task of a request that is not done when many others, each begun after it, are."""
    task = asyncio.create_task(api.call(*request))
    for _ in range(MANY):
        await asyncio.sleep(0)
        assert (await api.call("GET", SECRETS)).status == 200
    assert not task.done()
    return task


async def ruled(api, rule, **bounds):
    made = copy.deepcopy(definition())
    spec = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["numbers"] = {"type": "array", "items": {"type": "integer"}, **bounds}
    spec["x-kubernetes-validations"] = [{"rule": rule}]
    assert (await api.call("POST", DEFINITIONS, made)).status == 201
    await until(api, WIDGETS, 200)


async def test_rules(api):
    await ruled(api, "!self.numbers.all(x, self.numbers.all(y, x + y >= 0))", maxItems=300)
    refused = await (await overtaken(api, "POST", WIDGETS, widget(size=1, numbers=[*range(300)])))
    assert refused.status == 422
    assert "failed rule" in refused.body["message"]


async def test_rules_that_cost_too_much(api):
    await ruled(api, "self.numbers.all(x, self.numbers.all(y, x + y >= 0))", maxItems=400)
    refused = await (await overtaken(api, "POST", WIDGETS, widget(size=1, numbers=[*range(400)])))
    assert refused.status == 422
    assert LIMIT in refused.body["message"]


async def test_rules_whose_time_is_over(api):
    await ruled(api, "self.numbers.all(x, self.numbers.all(y, x + y >= 0))", maxItems=300)
    task = await overtaken(api, "POST", WIDGETS, widget(size=1, numbers=[*range(300)]))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await api.call("GET", WIDGETS)).body["items"] == []


async def test_policies(api):
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}]
    spec = {
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "!object.data.all(x, object.data.all(y, x + y != ''))"}],
    }
    assert (await api.call("POST", POLICIES, {"metadata": {"name": "long"}, "spec": spec})).status == 201
    bound = {"policyName": "long", "validationActions": ["Deny"]}
    assert (await api.call("POST", BINDINGS, {"metadata": {"name": "long"}, "spec": bound})).status == 201
    secret = {"metadata": {"name": "s"}, "data": {f"k{number}": "" for number in range(300)}}
    refused = await (await overtaken(api, "POST", SECRETS, secret))
    assert "denied request: failed expression" in refused.body["message"]


async def test_what_is_decoded_and_judged(api):
    template = {"template": {"spec": {"containers": [{}] * 1000}}}
    daemon = {"metadata": {"name": "d"}, "spec": template}
    refused = await (await overtaken(api, "POST", "/apis/apps/v1/namespaces/default/daemonsets", daemon))
    assert refused.body["message"].count("].image: Required value") == 1000


LONG = {f"k{number}": [number, {}] for number in range(MANY)}


@pytest.mark.parametrize(
    ("function", "given", "at_least"),
    [
        (yaml_documents.to_yaml, LONG, 8 * MANY),
        (yaml_documents.repeated_keys, yaml_documents.to_yaml(LONG), 7 * MANY),
        (yaml_documents.from_yaml, yaml_documents.to_yaml(LONG), 15 * MANY),
    ],
)
async def test_yaml(function, given, at_least):
    """Each of its passes gives way at each value, those in C too."""
    had_their_turn = 0

    async def others():
        nonlocal had_their_turn
        while True:
            await asyncio.sleep(0)
            had_their_turn += 1

    async def work():
        return function(given)

    task = asyncio.create_task(others())
    made = await turns.Turns().run(work())
    task.cancel()
    assert made == function(given)
    assert had_their_turn >= at_least

"""Ownership through apply and update, on cases that the recorded scenarios do not reach."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.errors import StatusError
from pybernetes.api.patch.apply import FieldManager
from pybernetes.api.patch.last_applied import ANNOTATION
from pybernetes.api.patch.managed_fields import keep_times
from pybernetes.api.patch.reset_fields import reset_fields
from pybernetes.api.schema import custom_resource_schema, schema_of

T0, T1, T2 = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"
CONFIG_MAPS = FieldManager(schema_of("v1", "ConfigMap"), "v1", "ConfigMap")
PODS = FieldManager(schema_of("v1", "Pod"), "v1", "Pod", reset=reset_fields("", "pods"))


def config_map(**data):
    tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    return {**tree, "data": data} if data else tree


def pod(*containers, **spec):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": name, "image": image} for name, image in containers], **spec},
    }


def owners(tree):
    """manager -> (operation, fields, time)"""
    entries = tree["metadata"].get("managedFields", [])
    return {e["manager"]: (e["operation"], e["fieldsV1"], e.get("time", "")) for e in entries}


def test_an_update_moves_the_time_of_its_manager_only():
    made = CONFIG_MAPS.update(None, config_map(a="1", b="1"), "one", T0)
    changed = CONFIG_MAPS.update(made, config_map(a="2", b="1"), "two", T1)
    assert owners(changed) == {
        "one": ("Update", {"f:data": {".": {}, "f:b": {}}}, T0),
        "two": ("Update", {"f:data": {"f:a": {}}}, T1),
    }
    assert CONFIG_MAPS.update(changed, config_map(a="2", b="1"), "three", T2) == changed


def test_times_alone_are_no_change():
    live = CONFIG_MAPS.update(None, config_map(a="1"), "one", T0)
    again = json.loads(json.dumps(live).replace(T0, T1))
    assert keep_times(live, again) == live
    again["data"]["a"] = "2"
    assert keep_times(live, again) == again


def test_more_than_ten_updaters_of_a_version_share_one_entry():
    tree = CONFIG_MAPS.update(None, config_map(k0="v"), "m00", T0)
    for n in range(1, 14):
        data = {**tree["data"], f"k{n}": "v"}
        tree = CONFIG_MAPS.update(tree, config_map(**data), f"m{n:02}", f"2026-01-01T00:{n:02}:00Z")
    found = owners(tree)
    assert len(found) == 10
    assert found["ancient-changes"] == (
        "Update",
        {"f:data": {".": {}, "f:k0": {}, "f:k1": {}, "f:k2": {}, "f:k3": {}, "f:k4": {}}},
        "2026-01-01T00:04:00Z",
    )


def test_a_list_element_is_left_when_its_applier_drops_it():
    live = PODS.apply(None, pod(("a", "i:1"), ("b", "i:1")), "one", False, T0)
    live = PODS.apply(live, pod(("b", "i:1"), ("c", "i:1")), "two", False, T1)
    assert [c["name"] for c in live["spec"]["containers"]] == ["a", "b", "c"]
    live = PODS.apply(live, pod(("c", "i:1")), "two", False, T2)
    assert [c["name"] for c in live["spec"]["containers"]] == ["a", "b", "c"]
    live = PODS.apply(live, pod(("b", "i:1")), "one", False, T2)
    assert [c["name"] for c in live["spec"]["containers"]] == ["b", "c"]


def test_an_applied_order_wins_and_foreign_elements_keep_their_place():
    live = PODS.update(None, pod(("a", "i"), ("x", "i"), ("b", "i")), "editor", T0)
    live = PODS.apply(live, pod(("b", "i"), ("a", "i"), ("n", "i")), "one", True, T1)
    assert [c["name"] for c in live["spec"]["containers"]] == ["x", "b", "a", "n"]


def test_a_default_protocol_is_part_of_the_key():
    port = {"containerPort": 80}
    live = pod(("a", "i"))
    live["spec"]["containers"][0]["ports"] = [port]
    ports = owners(PODS.apply(None, live, "one", False, T0))["one"][1]["f:spec"]["f:containers"]['k:{"name":"a"}']
    assert ports["f:ports"] == {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}


def test_status_cannot_be_owned_through_the_object():
    tree = {**pod(("a", "i")), "status": {"phase": "Running"}}
    assert "f:status" not in owners(PODS.apply(None, tree, "one", False, T0))["one"][1]
    assert "f:status" not in owners(PODS.update(None, tree, "one", T0))["one"][1]


def test_a_list_that_became_atomic_is_owned_as_a_whole():
    def things(list_type):
        listed = {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": list_type}
        schema = custom_resource_schema({"type": "object", "properties": {"l": listed}})
        return FieldManager(schema, "t.test/v1", "Thing")

    tree = {"apiVersion": "t.test/v1", "kind": "Thing", "metadata": {"name": "t"}, "l": ["a"]}
    live = things("set").apply(None, tree, "one", False, T0)
    assert owners(live)["one"][1] == {"f:l": {'v:"a"': {}}}
    with pytest.raises(StatusError) as caught:
        things("atomic").apply(live, {**tree, "l": ["b"]}, "two", False, T1)
    assert [cause["field"] for cause in caught.value.causes] == [".l"]


def test_elements_with_one_key_have_one_owner():
    def env(*values):
        tree = pod(("a", "i"))
        tree["spec"]["containers"][0]["env"] = [{"name": "E", "value": value} for value in values]
        return tree

    live = PODS.apply(None, env("1"), "applier", False, T0)
    live = PODS.update(live, env("1", "2"), "updater", T1)
    element = {"f:spec": {"f:containers": {'k:{"name":"a"}': {"f:env": {'k:{"name":"E"}': {}}}}}}
    assert owners(live)["updater"][1] == element
    assert "f:env" not in owners(live)["applier"][1]["f:spec"]["f:containers"]['k:{"name":"a"}']
    live = PODS.apply(live, pod(("a", "i")), "applier", False, T2)
    assert [entry["value"] for entry in live["spec"]["containers"][0]["env"]] == ["1", "2"]


def test_kubectl_takes_over_what_it_applied_from_the_client():
    last = config_map(a="1")
    live = config_map(a="1", b="1")
    live["metadata"]["annotations"] = {ANNOTATION: json.dumps(last)}
    live = CONFIG_MAPS.update(None, live, "kubectl-client-side-apply", T0)
    with pytest.raises(StatusError, match="conflict with"):
        CONFIG_MAPS.apply(live, config_map(a="2"), "other", False, T1)
    new = CONFIG_MAPS.apply(live, config_map(a="2"), "kubectl", False, T1)
    assert new["data"] == {"a": "2", "b": "1"}
    assert json.loads(new["metadata"]["annotations"][ANNOTATION]) == config_map(a="2")
    with pytest.raises(StatusError) as caught:
        CONFIG_MAPS.apply(live, config_map(a="2", b="2"), "kubectl", False, T1)
    assert [cause["field"] for cause in caught.value.causes] == [".data.b"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (pod(("a", "i"), ("a", "i")), '.spec.containers: duplicate entries for key [name="a"]'),
        (pod(hostNetwork="yes"), ".spec.hostNetwork: expected boolean, got &{yes}"),
        (pod(tolerations={"key": "a"}), ".spec.tolerations: expected list, got &{map[key:a]}"),
        (pod(nodeSelector=["a"]), ".spec.nodeSelector: expected map, got &{[a]}"),
        (
            pod(nosuch=1, dnsPolicy=True),
            ".spec.nosuch: field not declared in schema",
        ),
    ],
)
def test_what_does_not_fit_the_schema(config, message):
    with pytest.raises(StatusError) as caught:
        PODS.apply(None, config, "one", False, T0)
    assert caught.value.code == 500
    assert caught.value.message == f"failed to create typed patch object (/p; /v1, Kind=Pod): {message}"


CUSTOM = custom_resource_schema(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                    "map": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}},
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["id"],
                    },
                    "plain": {"type": "array", "items": {"type": "integer"}},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            }
        },
    }
)
THINGS = FieldManager(CUSTOM, "t.test/v1", "Thing")
WORD = st.sampled_from(["a", "b", "c"])
FREE = st.recursive(st.integers(0, 3) | WORD, lambda inner: st.dictionaries(WORD, inner, max_size=2), max_leaves=4)
SPEC = st.fixed_dictionaries(
    {},
    optional={
        "set": st.lists(WORD, unique=True, max_size=3),
        "map": st.lists(
            st.fixed_dictionaries({"id": WORD}, optional={"n": st.integers(0, 2)}), unique_by=lambda e: e["id"]
        ),
        "plain": st.lists(st.integers(0, 2), max_size=2),
        "free": st.dictionaries(WORD, FREE, max_size=2),
        "labels": st.dictionaries(WORD, WORD, max_size=2),
    },
)


def thing(spec):
    return {"apiVersion": "t.test/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec}


@settings(max_examples=150)
@given(SPEC, SPEC, SPEC)
def test_applying_twice_changes_nothing(live, other, spec):
    tree = THINGS.update(None, thing(live), "editor", T0)
    tree = THINGS.apply(tree, thing(other), "other", True, T0)
    once = THINGS.apply(tree, thing(spec), "one", True, T1)
    assert THINGS.apply(once, thing(spec), "one", False, T2) == once


@settings(max_examples=150)
@given(SPEC, SPEC)
def test_what_one_manager_alone_applied_is_what_there_is(first, second):
    """All that a sole applier does not state any more goes; empty maps turn null, as upstream's do."""
    tree = THINGS.apply(None, thing(first), "one", False, T0)
    tree = THINGS.apply(tree, thing(second), "one", False, T1)

    def stated(value):
        if isinstance(value, dict):
            return {k: s for k, v in value.items() if (s := stated(v)) not in ({}, [], None)}
        return value

    assert stated(tree.get("spec") or {}) == stated(second)


@settings(max_examples=100)
@given(SPEC, SPEC)
def test_a_forced_apply_leaves_no_field_with_two_values(first, second):
    tree = THINGS.apply(None, thing(first), "one", False, T0)
    tree = THINGS.apply(tree, thing(second), "two", True, T1)
    again = THINGS.apply(tree, thing(second), "two", False, T2)
    assert again == tree


def test_a_custom_resource_owns_its_maps_themselves():
    """Unlike built-in types, whose structs are always there, a custom resource gains `spec` with its first field."""
    tree = THINGS.update(None, thing({"labels": {"a": "b"}, "free": {}}), "one", T0)
    assert owners(tree)["one"][1] == {"f:spec": {".": {}, "f:labels": {".": {}, "f:a": {}}, "f:free": {}}}


def service_account(*secrets):
    tree = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "s"}}
    return {**tree, "secrets": list(secrets)}


def test_elements_without_their_keys_leave_nobody_an_owner():
    accounts = FieldManager(schema_of("v1", "ServiceAccount"), "v1", "ServiceAccount")
    live = accounts.update(None, service_account({"name": "a"}), "one", T0)
    assert set(owners(live)) == {"one"}
    keyless = service_account({"name": "a"}, {})
    assert owners(accounts.update(live, keyless, "two", T1)) == {}
    with pytest.raises(StatusError) as refused:
        accounts.apply(keyless, service_account({"name": "b"}), "three", False, T1)
    assert str(refused.value) == (
        "failed to create manager for existing fields: failed to convert new object (/s; /v1, Kind=ServiceAccount) "
        "to smd typed: .secrets: element 1: associative list with "
        'keys has an element that omits all key fields ["name"] (and doesn\'t have default values for any key fields)'
    )


def test_what_was_noted_in_another_groups_version_is_dropped():
    live = CONFIG_MAPS.update(None, config_map(a="1"), "one", T0)
    foreign = {"manager": "m", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": {}}
    sent = {**live, "metadata": {**live["metadata"], "managedFields": [*live["metadata"]["managedFields"], foreign]}}
    assert CONFIG_MAPS.update(live, sent, "two", T1) == live

"""Small rules at the edges of verbs, as upstream has them."""

import pytest

from pybernetes.apiserver.negotiate import PROTOBUF
from pybernetes.apiserver.yaml import repeated_keys

BASE = "/api/v1/namespaces/default/configmaps"
YAML = "application/yaml"
APPLY = "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"
REPEATED = b"kind: ConfigMap\nmetadata: {name: twice}\ndata: {a: w, a: z}\n"


@pytest.mark.parametrize("path", ["/api", "/api/v1", "/apis/apps/v1"])
async def test_lists_of_resources_are_only_read(api, path):
    refused = await api.call("DELETE", path)
    assert (refused.status, refused.body["reason"]) == (405, "MethodNotAllowed")
    assert (await api.call("POST", "/apis")).status == 200


async def test_only_a_request_that_is_taken_is_warned(api):
    assert "warning" not in dict((await api.call("DELETE", "/api/v1/componentstatuses/x")).headers)
    listed = await api.call("GET", "/api/v1/componentstatuses")
    assert [name for name, _ in listed.headers].count("warning") == 1


async def test_replica_sets_are_not_selected_by_their_status(api):
    refused = await api.call("GET", "/apis/apps/v1/replicasets?fieldSelector=status.replicas=0")
    assert refused.status == 400
    assert '"status.replicas" is not a known field selector' in refused.body["message"]
    assert (await api.call("GET", "/api/v1/replicationcontrollers?fieldSelector=status.replicas=0")).status == 200


async def test_empty_reporters_show_in_core_events_only(api):
    core, events = "/api/v1/namespaces/default/events", "/apis/events.k8s.io/v1/namespaces/default/events"
    body = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}}
    assert (await api.call("POST", core, body)).body["reportingInstance"] == ""
    shown = (await api.call("GET", f"{events}/e")).body
    assert not {"reportingController", "reportingInstance"} & shown.keys()


async def test_deleting_a_job_warns_of_its_pods(api):
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    unsaid = await api.call("DELETE", f"{jobs}/none")
    assert "child pods are preserved by default" in dict(unsaid.headers)["warning"]
    said = await api.call("DELETE", f"{jobs}/none?propagationPolicy=Background")
    assert "warning" not in dict(said.headers)


async def test_keys_that_stand_twice_in_yaml(api):
    complaint = 'yaml: unmarshal errors:\n  line 3: key "a" already set in map'
    assert repeated_keys(REPEATED) == complaint
    assert repeated_keys(b"a: &x {b: 1}\nc: *x\nd: [{b: 1}, {b: 2}]\n") == ""
    refused = await api.call("POST", f"{BASE}?fieldValidation=Strict", REPEATED, content_type=YAML)
    assert refused.status == 400
    assert refused.body["message"].endswith(f"strict decoding error: {complaint}")
    assert (await api.call("POST", BASE, REPEATED, content_type=YAML)).status == 201


async def test_keys_that_stand_twice_in_what_is_applied(api):
    body = b"apiVersion: v1\n" + REPEATED
    complaint = 'error converting YAML to JSON: yaml: unmarshal errors:\n  line 4: key "a" already set in map'
    path = f"{BASE}/twice?fieldManager=m&fieldValidation="
    refused = await api.call("PATCH", f"{path}Strict", body, content_type=APPLY)
    assert (refused.status, refused.body["message"]) == (400, f"error strict decoding YAML: {complaint}")
    assert (await api.call("GET", f"{BASE}/twice")).status == 404
    worse = await api.call("PATCH", f"{path}Strict", body + b"nope: 1\n", content_type=APPLY)
    assert ".nope: field not declared in schema" in worse.body["message"]
    warned = await api.call("PATCH", f"{path}Warn", body, content_type=APPLY)
    assert (warned.status, warned.body["data"]) == (201, {"a": "z"})
    assert "already set in map" in dict(warned.headers)["warning"]
    silent = await api.call("PATCH", f"{path}Ignore", body, content_type=APPLY)
    assert (silent.status, dict(silent.headers).get("warning")) == (200, None)


async def test_a_list_in_yaml_is_shown(api):
    refused = await api.call("POST", BASE, b"- 1\n", content_type=YAML)
    assert refused.body["message"].endswith("(2d20310a)")


async def test_a_strategic_patch_that_does_not_fit_is_shown_itself(api):
    await api.call("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
    path = "/api/v1/namespaces/default/secrets/s"
    refused = await api.call("PATCH", path, {"data": {"a": "not base64!"}}, content_type=STRATEGIC)
    words = 'Invalid value: "map[data:map[a:not base64!]]": error decoding from json: illegal base64 data'
    assert words in refused.body["message"]


async def test_new_objects_have_no_version_of_the_client(api):
    body = {"metadata": {"name": "c", "resourceVersion": "7"}}
    shown = await api.call("POST", f"{BASE}?dryRun=All", body)
    assert shown.body["metadata"]["resourceVersion"] == "7"
    refused = await api.call("POST", BASE, body)
    assert (refused.status, refused.body["message"]) == (
        500,
        "resourceVersion should not be set on objects to be created",
    )
    apply = "application/apply-patch+yaml"
    made = await api.call("PATCH", f"{BASE}/c?fieldManager=m", {"apiVersion": "v1", "kind": "ConfigMap", **body}, content_type=apply)  # fmt: skip
    assert made.status == 201


async def test_errors_come_in_the_format_that_the_client_wants(api):
    missing = await api.call("GET", f"{BASE}/none", accept=PROTOBUF)
    assert (missing.status, missing.content_type) == (404, PROTOBUF)
    assert missing.body.startswith(b"k8s\x00")
    assert b"NotFound" in missing.body
    either = await api.call("GET", f"{BASE}/none", accept=f"{PROTOBUF},application/json")
    assert either.content_type == PROTOBUF
    custom = await api.call("GET", "/apis/none.test/v1/things/none", accept=f"{PROTOBUF},application/json")
    assert custom.content_type != PROTOBUF


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/apis/networking.k8s.io/v1/servicecidrs", {"spec": {"cidrs": ["10.50.0.0/24"]}}),
        (
            "/apis/apiregistration.k8s.io/v1/apiservices",
            {"spec": {"group": "a.test", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}},
        ),
        (
            "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims",
            {"spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "x.y"}}]}}},
        ),
    ],
)
async def test_metadata_is_not_written_through_these_statuses(api, path, body):
    assert (await api.call("POST", path, {"metadata": {"name": "v1.a.test"}, **body})).status == 201
    change = {"metadata": {"labels": {"a": "b"}}, "status": {"conditions": []}}
    kept = await api.call("PATCH", f"{path}/v1.a.test/status", change, content_type="application/merge-patch+json")
    assert kept.status == 200
    assert "labels" not in kept.body["metadata"]


async def test_a_node_has_one_range_of_a_family(api):
    body = {"metadata": {"name": "n"}, "spec": {"podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"]}}
    refused = await api.call("POST", "/api/v1/nodes?dryRun=All", body)
    assert [cause["field"] for cause in refused.body["details"]["causes"]] == ["spec.podCIDRs"]
    body["spec"]["podCIDRs"][1] = "fd00::/64"
    assert (await api.call("POST", "/api/v1/nodes?dryRun=All", body)).status == 201


async def test_a_schedule_has_no_time_zone_of_its_own(api):
    container = {"name": "c", "image": "i"}
    job = {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}}
    body = {"metadata": {"name": "c"}, "spec": {"schedule": "TZ=UTC * * * * *", "jobTemplate": job}}
    refused = await api.call("POST", "/apis/batch/v1/namespaces/default/cronjobs", body)
    assert "cannot use TZ or CRON_TZ in schedule, use timeZone field instead" in refused.body["message"]

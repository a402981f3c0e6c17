"""The verbs on configmaps and namespaces, through the whole server."""

import pytest

MERGE = "application/merge-patch+json"
BASE = "/api/v1/namespaces/default/configmaps"


def config_map(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_what_is_created_can_be_read_at_once(api):
    made = await api.call("POST", BASE, config_map("a", k="v"))
    assert made.status == 201
    found = await api.call("GET", f"{BASE}/a")
    assert found.body == made.body
    assert found.body["metadata"]["managedFields"][0]["manager"] == "tester"


async def test_a_name_is_taken_once(api):
    await api.call("POST", BASE, config_map("a"))
    again = await api.call("POST", BASE, config_map("a"))
    assert (again.status, again.body["reason"]) == (409, "AlreadyExists")
    assert again.body["message"] == 'configmaps "a" already exists'


async def test_generated_names_differ(api):
    body = {"metadata": {"generateName": "x-"}}
    names = {(await api.call("POST", BASE, body)).body["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("x-") and len(name) == 7 for name in names)


async def test_the_same_body_makes_an_object_of_its_own_each_time(api):
    """For each namespace, and with what is said about it."""
    for namespace in ("one", "two"):
        await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    body = {"metadata": {"generateName": "x-", "labels": {"a": "b"}}, "data": {"k": "1"}}
    made = [
        (await api.call("POST", f"/api/v1/namespaces/{namespace}/configmaps", body)).body
        for namespace in ("one", "one", "two")
    ]
    assert [each["metadata"]["namespace"] for each in made] == ["one", "one", "two"]
    assert len({each["metadata"]["uid"] for each in made}) == 3
    own = {"name", "uid", "resourceVersion", "namespace", "creationTimestamp", "managedFields"}
    rest = [{key: value for key, value in each["metadata"].items() if key not in own} for each in made]
    assert rest == [{"generateName": "x-", "labels": {"a": "b"}}] * 3
    fields = made[0]["metadata"]["managedFields"][0]["fieldsV1"]
    assert fields["f:data"] == {".": {}, "f:k": {}}
    assert all(each["metadata"]["managedFields"][0]["fieldsV1"] == fields for each in made)
    wrong = body | {"datas": {}}
    for _ in range(2):
        told = await api.call("POST", BASE, wrong)
        assert dict(told.headers)["warning"] == '299 - "unknown field \\"datas\\""'


async def test_a_patch_leaves_what_it_does_not_name(api):
    """And what is stored stays as it is when the patch is refused later on."""
    made = (await api.call("POST", BASE, config_map("a", k="1") | {"immutable": True})).body
    path = f"{BASE}/a"
    refused = await api.call("PATCH", path, {"data": {"k": "2"}}, content_type=MERGE)
    assert refused.status == 422
    assert (await api.call("GET", path)).body == made
    labelled = (await api.call("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, content_type=MERGE)).body
    assert labelled["data"] == {"k": "1"}
    assert labelled["metadata"]["labels"] == {"a": "b"}


async def test_an_update_of_an_old_version_conflicts(api):
    made = await api.call("POST", BASE, config_map("a", k="1"))
    assert (await api.call("PUT", f"{BASE}/a", made.body | {"data": {"k": "2"}})).status == 200
    late = await api.call("PUT", f"{BASE}/a", made.body | {"data": {"k": "3"}})
    assert (late.status, late.body["reason"]) == (409, "Conflict")


async def test_a_patch_that_changes_nothing_keeps_the_version(api):
    made = await api.call("POST", BASE, config_map("a", k="1"))
    same = await api.call("PATCH", f"{BASE}/a", {"data": {"k": "1"}}, content_type=MERGE)
    assert same.body["metadata"]["resourceVersion"] == made.body["metadata"]["resourceVersion"]
    other = await api.call("PATCH", f"{BASE}/a", {"data": {"k": "2"}}, content_type=MERGE)
    assert other.body["metadata"]["resourceVersion"] != made.body["metadata"]["resourceVersion"]


async def test_apply_makes_and_owns(api):
    target = f"{BASE}/a?fieldManager=one"
    made = await api.call("PATCH", target, config_map("a", k="1"), content_type="application/apply-patch+yaml")
    assert made.status == 201
    other = f"{BASE}/a?fieldManager=two"
    clash = await api.call("PATCH", other, config_map("a", k="2"), content_type="application/apply-patch+yaml")
    assert clash.status == 409
    assert "Apply failed with 1 conflict" in clash.body["message"]


async def test_a_dry_run_leaves_nothing(api):
    answer = await api.call("POST", f"{BASE}?dryRun=All", config_map("a"))
    assert answer.status == 201
    assert "resourceVersion" not in answer.body["metadata"]
    assert (await api.call("GET", f"{BASE}/a")).status == 404


async def test_a_finalizer_holds_an_object(api):
    body = config_map("a")
    body["metadata"]["finalizers"] = ["x.test/hold"]
    await api.call("POST", BASE, body)
    marked = await api.call("DELETE", f"{BASE}/a")
    assert "deletionTimestamp" in marked.body["metadata"]
    assert (await api.call("GET", f"{BASE}/a")).status == 200
    await api.call("PATCH", f"{BASE}/a", {"metadata": {"finalizers": None}}, content_type=MERGE)
    assert (await api.call("GET", f"{BASE}/a")).status == 404


async def test_a_precondition_protects(api):
    await api.call("POST", BASE, config_map("a"))
    for precondition in ({"uid": "other"}, {"uid": ""}, {"resourceVersion": "1"}):
        answer = await api.call("DELETE", f"{BASE}/a", {"preconditions": precondition})
        assert answer.status == 409
        assert (await api.call("GET", f"{BASE}/a")).status == 200


async def test_deletecollection_takes_what_the_selector_takes(api):
    for name, label in (("a", "x"), ("b", "y")):
        body = config_map(name)
        body["metadata"]["labels"] = {"l": label}
        await api.call("POST", BASE, body)
    answer = await api.call("DELETE", f"{BASE}?labelSelector=l=x")
    assert [item["metadata"]["name"] for item in answer.body["items"]] == ["a"]
    left = await api.call("GET", BASE)
    assert [item["metadata"]["name"] for item in left.body["items"]] == ["b"]


async def test_a_namespace_ends_by_its_finalizer(api):
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
    marked = await api.call("DELETE", "/api/v1/namespaces/n")
    assert marked.body["status"]["phase"] == "Terminating"
    body = {"metadata": {"name": "n"}, "spec": {"finalizers": []}}
    assert (await api.call("PUT", "/api/v1/namespaces/n/finalize", body)).status == 200
    assert (await api.call("GET", "/api/v1/namespaces/n")).status == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{bad", "invalid character 'b' looking for beginning of object key string"),
        (b"[]", "json: cannot unmarshal array into Go value"),
        (b'{"kind":"Nonsense","apiVersion":"v1"}', 'no kind "Nonsense" is registered for version "v1"'),
        (b'{"data":{"k":1}}', "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
    ],
)
async def test_a_bad_body_is_refused_in_words(api, body, words):
    answer = await api.call("POST", BASE, body)
    assert answer.status == 400
    assert words in answer.body["message"]


async def test_an_unknown_field_is_warned_of_or_refused(api):
    body = config_map("a") | {"nosuch": 1}
    strict = await api.call("POST", f"{BASE}?fieldValidation=Strict", body)
    assert strict.status == 400
    assert 'strict decoding error: unknown field "nosuch"' in strict.body["message"]
    warned = await api.call("POST", BASE, body)
    assert ("warning", '299 - "unknown field \\"nosuch\\""') in warned.headers


async def test_unknown_and_repeated_fields_are_told_of_as_they_are_met(api):
    body = b'{"metadata":{"name":"a"},"nosuch":1,"data":{"k":"v"},"data":{}}'
    strict = await api.call("POST", f"{BASE}?fieldValidation=Strict", body)
    assert 'strict decoding error: unknown field "nosuch", duplicate field "data"' in strict.body["message"]
    warned = await api.call("POST", BASE, body)
    words = [value for name, value in warned.headers if name == "warning"]
    assert words == ['299 - "unknown field \\"nosuch\\""', '299 - "duplicate field \\"data\\""']


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("PUT", BASE, 405),
        ("POST", f"{BASE}/a", 405),
        ("GET", "/api/v1/namespaces/default/nosuch", 404),
        ("GET", "/apis/nosuch/v1/things", 404),
        ("DELETE", "/api/v1/namespaces", 405),
    ],
)
async def test_what_is_not_there(api, method, target, status):
    assert (await api.call(method, target, {})).status == status


async def test_only_a_node_is_created_with_a_status(api):
    node = {"metadata": {"name": "n"}, "status": {"capacity": {"cpu": "4"}}}
    made = await api.call("POST", "/api/v1/nodes", node)
    assert (made.status, made.body["status"]["capacity"]) == (201, {"cpu": "4"})
    assert made.body["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 0}}
    claim = {
        "metadata": {"name": "c"}, "status": {"phase": "Bound"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }  # fmt: skip
    made = await api.call("POST", "/api/v1/namespaces/default/persistentvolumeclaims", claim)
    assert (made.status, made.body["status"]) == (201, {"phase": "Pending"})


@pytest.mark.parametrize(
    ("patch", "status", "words"),
    [
        ({"kind": "Pod"}, 422, "converting (v1.Pod) to (core.ConfigMap): unknown conversion"),
        ({"kind": "Nope"}, 422, 'no kind "Nope" is registered for version "v1"'),
        ({"apiVersion": "a/b/c"}, 422, "unexpected GroupVersion string: a/b/c"),
        ({"kind": 5}, 422, "cannot unmarshal number into Go struct field .kind of type string"),
        ({"apiVersion": None}, 400, "the name of the object (a based on URL) was undeterminable"),
        ({"metadata": {"resourceVersion": "x"}}, 500, 'strconv.ParseUint: parsing "x": invalid syntax'),
    ],
)
async def test_a_patch_leaves_the_kind(api, patch, status, words):
    await api.call("POST", BASE, config_map("a", k="v"))
    refused = await api.call("PATCH", f"{BASE}/a", patch, content_type=MERGE)
    assert refused.status == status
    assert words in refused.body["message"]


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ('{"data": {"a": "1", "a": "2"}}', MERGE, 'duplicate field "data.a"'),
        ('[{"op": "add", "path": "/data/a", "value": "1", "x": 1}]', "application/json-patch+json",
         'json patch unknown field "[0].x"'),
        ('[{"op": "add", "op": "add", "path": "/data/a", "value": "1"}]', "application/json-patch+json",
         'json patch duplicate field "[0].op"'),
    ],
)  # fmt: skip
async def test_a_patch_is_read_strictly_too(api, body, kind, words):
    await api.call("POST", BASE, config_map("a", k="v"))
    warned = await api.call("PATCH", f"{BASE}/a", body.encode(), content_type=kind)
    assert warned.status == 200
    assert words.replace('"', '\\"') in dict(warned.headers)["warning"]
    refused = await api.call("PATCH", f"{BASE}/a?fieldValidation=Strict", body.encode(), content_type=kind)
    assert refused.status == 422
    assert f"strict decoding error: {words}" in refused.body["message"]

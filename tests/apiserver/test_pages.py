"""Discovery, health, versions, OpenAPI."""

import gzip
import json
import re
import uuid

from pybernetes.wire import protobuf

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def test_discovery_lists_what_is_served(api):
    groups = await api.call("GET", "/apis")
    assert "apps" in [group["name"] for group in groups.body["groups"]]
    listed = await api.call("GET", "/apis/apps/v1")
    assert "deployments/scale" in [resource["name"] for resource in listed.body["resources"]]


async def test_aggregated_discovery_has_an_etag(api):
    first = await api.call("GET", "/apis", accept=AGGREGATED)
    assert first.body["kind"] == "APIGroupDiscoveryList"
    request = api.request("GET", "/apis", None, AGGREGATED, "", if_none_match=dict(first.headers)["etag"])
    assert (await api.server(request)).status == 304


async def test_who_has_a_document_of_openapi_gets_no_other(api):
    for path in ("/openapi/v2", "/openapi/v3/apis/apps/v1"):
        etag = dict((await api.call("GET", path)).headers)["etag"]
        for known, status in ((etag, 304), (f'"x", W/{etag}', 304), ("*", 304), ('"x"', 200)):
            request = api.request("GET", path, None, "application/json", "", if_none_match=known)
            assert (await api.server(request)).status == status


async def test_health(api):
    assert (await api.call("GET", "/readyz")).body == b"ok"
    assert b"[+]ping ok" in (await api.call("GET", "/livez?verbose")).body
    assert (await api.call("GET", "/readyz/nosuch")).status == 404
    assert (await api.call("GET", "/readyz/")).status == 404
    lines = (await api.call("GET", "/readyz?verbose")).body.decode().splitlines()
    assert lines[:4] == ["[+]ping ok", "[+]log ok", "[+]etcd ok", "[+]etcd-readiness ok"]
    assert lines[-2:] == ["[+]shutdown ok", "readyz check passed"]


async def test_what_is_documented_with_the_api_is_there_for_get_alone(api):
    for path in ("/version", "/version/", "/.well-known/openid-configuration", "/openid/v1/jwks"):
        assert (await api.call("POST", path, {})).status == 405
        assert (await api.call("HEAD", path)).status == 405
    assert (await api.call("GET", "/version/")).status == 200
    assert (await api.call("GET", "/version", accept="application/yaml")).status == 406


async def test_documents_have_no_slash_at_the_end(api):
    assert (await api.call("GET", "/openapi/v2/")).status == 404
    missing = await api.call("GET", "/openapi/v3/nosuch")
    assert (missing.status, missing.body) == (404, b"")
    assert (await api.call("GET", "/apis/apps/v1/")).status == 200


async def test_checks_are_counted(api):
    await api.call("GET", "/readyz")
    await api.call("GET", "/readyz?exclude=log")
    await api.call("GET", "/livez")
    told = (await api.call("GET", "/metrics/slis")).body.decode()
    assert 'kubernetes_healthcheck{name="ping",type="readyz"} 1' in told
    assert 'kubernetes_healthchecks_total{name="ping",type="readyz",status="success"} 2' in told
    assert 'kubernetes_healthchecks_total{name="log",type="readyz",status="success"} 1' in told
    assert 'kubernetes_healthcheck{name="shutdown",type="livez"}' not in told


async def test_the_root_lists_all_paths(api):
    listed = (await api.call("GET", "/")).body["paths"]
    assert listed == sorted(listed)
    assert {
        "/api/v1",
        "/apis/apps/v1",
        "/healthz/ping",
        "/metrics/slis",
        "/openapi/v3/",
        "/statusz",
    } <= set(listed)
    for path in set(listed) - {"/openapi/v3/"}:  # which upstream lists, too, and has nothing at
        assert (await api.call("GET", path, accept="*/*")).status == 200, path
    assert (await api.call("GET", "/index.html")).body["paths"] == listed


async def test_discovery_in_each_format(api):
    core = (await api.call("GET", "/api/v1")).body
    assert "apiVersion" not in core
    listed = await api.call("GET", "/apis/apps/v1", accept="application/vnd.kubernetes.protobuf")
    assert listed.body.startswith(b"k8s\x00\n\x15\n\x02v1\x12\x0fAPIResourceList")
    whole = await api.call("GET", "/apis", accept=AGGREGATED.replace("json", "yaml"))
    assert whole.content_type == AGGREGATED.replace("json", "yaml")
    assert whole.body.startswith(b"apiVersion: apidiscovery.k8s.io/v2\n")
    assert (await api.call("GET", "/apis", accept=f"application/json,{AGGREGATED}")).body[
        "kind"
    ] == "APIGroupDiscoveryList"
    assert (await api.call("GET", "/apis/apps", accept=AGGREGATED)).status == 406


async def test_a_path_that_names_no_resource_is_no_request(api):
    broken = await api.call("GET", "/api/v1/watch")
    words = "failed to create RequestInfo: unable to determine kind and namespace from url, /api/v1/watch"
    assert (broken.status, broken.body) == (500, f'Internal Server Error: "/api/v1/watch": {words}\n'.encode())
    assert (await api.call("GET", "//")).status == 404


async def test_components_have_a_status(api):
    found = (await api.call("GET", "/api/v1/componentstatuses")).body["items"]
    assert [one["metadata"]["name"] for one in found] == ["scheduler", "controller-manager", "etcd-0"]
    assert found[2]["conditions"] == [{"type": "Healthy", "status": "True", "message": "ok"}]
    assert (await api.call("GET", "/api/v1/componentstatuses/etcd-0")).body["metadata"] == {"name": "etcd-0"}
    assert (await api.call("GET", "/api/v1/componentstatuses/etcd-1")).status == 404


async def test_status_for_people_and_for_programs(api):
    page = (await api.call("GET", "/statusz")).body.decode()
    assert page.startswith("\napiserver statusz\nWarning: This endpoint is not meant to be machine parseable, ")
    assert re.search(
        r"\nStarted[:= ]+\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d UTC \d{4}\nUp[:= ]+0 hr 00 min \d\d sec\n", page
    )
    assert re.search(r"\nBinary version[:= ]+1\.36\.0\nEmulation version[:= ]+1\.36\nPaths[:= ]+/debug ", page)
    for version in ("v1beta1", "v1alpha1"):
        found = await api.call("GET", "/statusz", accept=f"application/json;v={version};g=config.k8s.io;as=Statusz")
        assert (found.body["kind"], found.body["apiVersion"]) == ("Statusz", f"config.k8s.io/{version}")
        assert found.body["metadata"] == {"name": "apiserver"}
        assert (found.body["binaryVersion"], "/healthz" in found.body["paths"]) == ("1.36.0", True)
        deprecated = '299 - "This version of the statusz endpoint is deprecated. Please use a newer version."'
        assert (("warning", deprecated) in found.headers) == (version == "v1alpha1")
    assert (await api.call("GET", "/statusz", accept="*/*")).content_type.startswith("text/plain")
    refused = await api.call("GET", "/statusz", accept="application/json")
    assert refused.status == 406
    assert refused.body["message"].endswith("application/json, application/yaml, text/plain")


async def test_flags_are_shown_with_their_values(api):
    accept = "application/json;v=v1beta1;g=config.k8s.io;as=Flagz"
    flags = (await api.call("GET", "/flagz", accept=accept)).body["flags"]
    assert (flags["event-ttl"], flags["anonymous-auth"], flags["authorization-mode"]) == (
        "1h0m0s",
        "true",
        "[AlwaysAllow]",
    )
    page = (await api.call("GET", "/flagz")).body.decode()
    assert page.startswith("\napiserver flagz\n")
    assert re.search(r"\nsecure-port[:= ]+6443\n", page)


async def test_every_answer_has_an_audit_id(api):
    found = [
        dict((await api.call("GET", path)).headers)["audit-id"] for path in ("/api/v1/pods", "/nothing", "/readyz")
    ]
    assert len({*found}) == 3
    assert all(str(uuid.UUID(one)) == one and uuid.UUID(one).version == 4 for one in found)
    request = api.request("GET", "/api/v1/namespaces/x/pods/x", None, "", "", audit_id="mine")
    assert [value for name, value in (await api.server(request)).headers if name == "audit-id"] == ["mine"]


async def test_openapi_describes_each_group(api):
    index = await api.call("GET", "/openapi/v3")
    assert b"apis/batch/v1" in index.body
    batch = await api.call("GET", "/openapi/v3/apis/batch/v1")
    assert "io.k8s.api.batch.v1.Job" in batch.body["components"]["schemas"]
    assert "/apis/batch/v1/namespaces/{namespace}/jobs/{name}/status" in batch.body["paths"]


async def test_openapi_documents_can_be_kept_by_their_hash(api):
    index = json.loads((await api.call("GET", "/openapi/v3")).body)
    url = index["paths"]["apis/batch/v1"]["serverRelativeURL"]
    found = await api.call("GET", url)
    assert (found.status, dict(found.headers)["cache-control"]) == (200, "public, immutable")
    other = await api.call("GET", url.partition("=")[0] + "=AB")
    assert (other.status, dict(other.headers)["location"]) == (301, url)
    assert "cache-control" not in dict((await api.call("GET", "/openapi/v3/apis/batch/v1")).headers)


async def test_openapi_v2_refers_to_its_own_definitions(api):
    document = (await api.call("GET", "/openapi/v2")).body
    job = document["paths"]["/apis/batch/v1/namespaces/{namespace}/jobs"]["post"]
    reference = job["responses"]["200"]["schema"]["$ref"]
    assert reference.removeprefix("#/definitions/") in document["definitions"]


async def test_openapi_v2_in_protobuf_has_every_definition(api):
    """Read with the field numbers of OpenAPIv2.proto: definitions are 9, a name 1, a schema's properties 25."""
    accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    answer = await api.call("GET", "/openapi/v2", accept=accept)
    assert answer.content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    names = (await api.call("GET", "/openapi/v2")).body["definitions"]
    [definitions] = fields(answer.body)[9]
    schemas = {fields(one)[1][0].decode(): fields(one)[2][0] for one in fields(definitions)[1]}
    assert sorted(schemas) == sorted(names)
    [properties] = fields(schemas["io.k8s.api.core.v1.ConfigMap"])[25]
    assert b"binaryData" in [fields(one)[1][0] for one in fields(properties)[1]]


async def test_openapi_v3_in_protobuf_says_what_the_json_says(api):
    """Read with the field numbers of OpenAPIv3.proto: paths are 4, components 5, the schemas there 1."""
    accept = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"
    for path in ("/openapi/v3/apis/apps/v1", "/openapi/v3/api/v1", "/openapi/v3/version"):
        answer = await api.call("GET", path, accept=accept)
        assert answer.content_type == "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"
        told = (await api.call("GET", path)).body
        whole = fields(answer.body)
        assert whole[1] == [b"3.0.0"]
        paths = {fields(one)[1][0].decode(): fields(one).get(2, [b""])[0] for one in fields(whole[4][0])[1]}
        assert list(paths) == list(told["paths"])
        components = fields(whole[5][0])
        schemas = {fields(one)[1][0].decode(): fields(one)[2][0] for one in fields(components[1][0]).get(1, [])}
        assert list(schemas) == list(told["components"]["schemas"])
    pods = fields((await api.call("GET", "/openapi/v3/api/v1", accept=accept)).body)
    pod = fields(fields(schemas_of(pods)["io.k8s.api.core.v1.Pod"])[1][0])
    assert pod[25] == [b"object"]
    properties = {fields(one)[1][0].decode(): fields(fields(one)[2][0]) for one in fields(pod[31][0])[1]}
    spec = fields(properties["spec"][1][0])
    assert fields(fields(spec[26][0])[2][0])[1] == [b"#/components/schemas/io.k8s.api.core.v1.PodSpec"]


def schemas_of(document: dict[int, list[bytes]]) -> dict[str, bytes]:
    components = fields(document[5][0])
    return {fields(one)[1][0].decode(): fields(one)[2][0] for one in fields(components[1][0])[1]}


def fields(message: bytes) -> dict[int, list[bytes]]:
    """The length-delimited fields of a message by number."""
    found: dict[int, list[bytes]] = {}
    position = 0
    while position < len(message):
        tag, position = protobuf.decode_varint(message, position)
        if tag & 7 == protobuf.LENGTH:
            start, position = protobuf.decode_length(message, position)
            found.setdefault(tag >> 3, []).append(message[start:position])
        else:
            position = protobuf.skip_field(message, position, tag)
    return found


async def test_openapi_describes_operations_as_upstream_does(api):
    document = (await api.call("GET", "/openapi/v3/api/v1")).body
    paths, schemas = document["paths"], document["components"]["schemas"]
    pods = paths["/api/v1/namespaces/{namespace}/pods"]
    assert [one["name"] for one in pods["parameters"]] == ["namespace", "pretty"]  # what all of its methods take
    assert "application/json;stream=watch" in pods["get"]["responses"]["200"]["content"]
    gone = paths["/api/v1/namespaces/{namespace}/pods/{name}"]["delete"]["responses"]["200"]["content"]
    assert gone["application/json"]["schema"]["$ref"].endswith(".Pod")
    attach = paths["/api/v1/namespaces/{namespace}/pods/{name}/attach"]
    assert [one["name"] for one in attach["parameters"]] == [
        "container", "name", "namespace", "stderr", "stdin", "stdout", "tty",
    ]  # fmt: skip
    proxied = paths["/api/v1/nodes/{name}/proxy/{path}"]
    assert proxied["head"]["operationId"] == "connectCoreV1HeadNodeProxyWithPath"
    container = schemas["io.k8s.api.core.v1.Container"]["properties"]
    assert container["imagePullPolicy"]["enum"] == ["Always", "IfNotPresent", "Never"]
    assert (container["name"]["default"], "default" in container["image"]) == ("", False)
    assert schemas["io.k8s.api.core.v1.Pod"]["properties"]["spec"]["default"] == {}
    assert "enum" not in schemas["io.k8s.api.core.v1.Pod"]["properties"]["kind"]
    kinds = schemas["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"]["x-kubernetes-group-version-kind"]
    assert kinds == [{"group": "", "kind": "DeleteOptions", "version": "v1"}]
    assert "get" in (await api.call("GET", "/openapi/v3/apis/apps")).body["paths"]["/apis/apps/"]


async def test_openapi_v2_says_what_is_taken(api):
    document = (await api.call("GET", "/openapi/v2")).body
    item = document["paths"]["/api/v1/namespaces/{namespace}/configmaps"]
    assert (item["get"]["consumes"], item["get"]["schemes"]) == (["*/*"], ["https"])
    assert [one["name"] for one in item["post"]["parameters"]] == ["body", "dryRun", "fieldManager", "fieldValidation"]
    definitions = document["definitions"]
    quantity = definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"]
    assert (quantity["type"], "oneOf" in quantity) == ("string", False)
    assert "default" not in definitions["io.k8s.api.core.v1.Container"]["properties"]["name"]


async def test_metrics_say_what_they_are_and_are_packed_for_who_takes_it(api):
    plain = await api.call("GET", "/metrics")
    assert plain.content_type == "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
    packed = await api.server(api.request("GET", "/metrics", None, "", "", accept_encoding="gzip"))
    assert ("content-encoding", "gzip") in packed.headers
    assert b"apiserver_" in gzip.decompress(b"".join(packed.body))
    other = await api.server(api.request("GET", "/metrics", None, "", "", accept_encoding="gzip;q=0"))
    assert all(name != "content-encoding" for name, _ in other.headers)


async def test_long_objects_are_packed(api):
    await api.call(
        "POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "c"}, "data": {"k": "v" * 200_000}}
    )
    path = "/api/v1/namespaces/default/configmaps/c"
    packed = await api.server(api.request("GET", path, None, "", "", accept_encoding="gzip, deflate"))
    assert ("content-encoding", "gzip") in packed.headers
    assert b"v" * 200_000 in gzip.decompress(b"".join(packed.body))

"""Discovery, health, versions, OpenAPI."""

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def test_discovery_lists_what_is_served(api):
    groups = await api.call("GET", "/apis")
    assert "apps" in [group["name"] for group in groups.body["groups"]]
    listed = await api.call("GET", "/apis/apps/v1")
    assert "deployments/scale" in [resource["name"] for resource in listed.body["resources"]]


async def test_aggregated_discovery_has_an_etag(api):
    first = await api.call("GET", "/apis", accept=AGGREGATED)
    assert first.body["kind"] == "APIGroupDiscoveryList"
    request = api.request("GET", "/apis", None, AGGREGATED, "")
    request.header_list.append(("if-none-match", dict(first.headers)["etag"]))
    assert (await api.server(request)).status == 304


async def test_health(api):
    assert (await api.call("GET", "/readyz")).body == b"ok"
    assert b"[+]ping ok" in (await api.call("GET", "/livez?verbose")).body
    assert (await api.call("GET", "/readyz/nosuch")).status == 404


async def test_openapi_describes_each_group(api):
    index = await api.call("GET", "/openapi/v3")
    assert b"apis/batch/v1" in index.body
    batch = await api.call("GET", "/openapi/v3/apis/batch/v1")
    assert "io.k8s.api.batch.v1.Job" in batch.body["components"]["schemas"]
    assert "/apis/batch/v1/namespaces/{namespace}/jobs/{name}/status" in batch.body["paths"]


async def test_openapi_v2_refers_to_its_own_definitions(api):
    document = (await api.call("GET", "/openapi/v2")).body
    job = document["paths"]["/apis/batch/v1/namespaces/{namespace}/jobs"]["post"]
    reference = job["responses"]["200"]["schema"]["$ref"]
    assert reference.removeprefix("#/definitions/") in document["definitions"]

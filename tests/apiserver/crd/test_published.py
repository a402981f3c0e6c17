"""What discovery, tables and OpenAPI tell of custom resources."""

from tests.apiserver.crd.widgets import DEFINITIONS, WIDGETS, definition, until, widget

MERGE = "application/merge-patch+json"


async def test_columns_and_discovery(widgets):
    await widgets.call("POST", WIDGETS, widget(size=4))
    table = await widgets.call("GET", WIDGETS, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert table.body["rows"][0]["cells"] == ["w", 4]
    listed = await widgets.call("GET", "/apis/shop.test/v1")
    assert [one["name"] for one in listed.body["resources"]] == ["widgets", "widgets/scale", "widgets/status"]


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


async def test_the_published_schema_tells_by_which_fields_objects_are_selected(api):
    selected = definition()
    selected["spec"]["versions"][0]["selectableFields"] = [{"jsonPath": ".spec.size"}]
    await api.call("POST", DEFINITIONS, selected)
    await until(api, WIDGETS, 200)
    schemas = (await api.call("GET", "/openapi/v3/apis/shop.test/v1")).body["components"]["schemas"]
    for kind in ("Widget", "WidgetList"):
        assert schemas[f"test.shop.v1.{kind}"]["x-kubernetes-selectable-fields"] == [{"fieldPath": "spec.size"}]


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

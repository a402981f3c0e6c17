"""A definition of widgets, and waits for what becomes of it."""

import asyncio

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/shop.test/v1/namespaces/default/widgets"
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "mode": {"type": "string", "default": "slow", "enum": ["slow", "fast"]},
                "replicas": {"type": "integer"},
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


def definition(plural="widgets", kind="Widget", **names):
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.shop.test"},
        "spec": {
            "group": "shop.test",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": [version],
        },
    }


async def until(api, target, status):
    async with asyncio.timeout(5):
        while (await api.call("GET", target)).status != status:
            await asyncio.sleep(0.005)


def widget(**spec):
    return {"apiVersion": "shop.test/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


async def condition(api, name, kind):
    status = (await api.call("GET", f"{DEFINITIONS}/{name}")).body["status"]
    found = {one["type"]: (one["status"], one["reason"], one["message"]) for one in status.get("conditions") or []}
    return found.get(kind)


async def until_condition(api, name, kind, wanted):
    async with asyncio.timeout(5):
        while await condition(api, name, kind) != wanted:
            await asyncio.sleep(0.005)

"""Nesting that nobody can follow is a bad request for every kind of patch."""

import pytest

from pybernetes.api.errors import StatusError
from pybernetes.api.patch.apply import FieldManager
from pybernetes.api.patch.json_patch import json_patch
from pybernetes.api.patch.merge import merge_patch
from pybernetes.api.patch.strategic import strategic_patch
from pybernetes.api.schema import custom_resource_schema

FREE = custom_resource_schema({"x-kubernetes-preserve-unknown-fields": True})
NOW = "2026-01-01T00:00:00Z"


def nested(depth):
    tree = {}
    for _ in range(depth):
        tree = {"a": tree}
    return tree


def thing(spec):
    return {"apiVersion": "t.test/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec}


MANAGER = FieldManager(FREE, "t.test/v1", "Thing")
USES = {
    "merge": lambda tree: merge_patch({}, tree),
    "json": lambda tree: json_patch({}, [{"op": "add", "path": "/a", "value": tree}]),
    "strategic": lambda tree: strategic_patch(FREE, {"a": tree}, {"a": tree}),
    "update": lambda tree: MANAGER.update(None, thing(tree), "m", NOW),
    "apply": lambda tree: MANAGER.apply(None, thing(tree), "m", False, NOW),
}


@pytest.mark.parametrize("use", USES)
def test_depth(use):
    USES[use](nested(100))
    with pytest.raises(StatusError) as caught:
        USES[use](nested(50_000))
    assert (caught.value.code, caught.value.message) == (400, "exceeded max depth")

"""What the status of a policy says about its expressions: built-in kinds, and custom ones whose schema is asked for."""

from collections.abc import Callable
from typing import Any

from tests.controllers.conftest import World

from pybernetes.api import scheme
from pybernetes.api.types import admissionregistration_v1

POLICIES = scheme.resource_for(admissionregistration_v1.ValidatingAdmissionPolicy)


def definition(group: str) -> dict[str, object]:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"boxes.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"plural": "boxes", "kind": "Box"}, "versions": [version],
        },
    }  # fmt: skip


async def test_warnings_of_expressions(world_of: Callable[..., Any]) -> None:
    async with world_of("validatingadmissionpolicy-status-controller") as world:
        await check(world)


async def check(world: World) -> None:
    client, name, group = world.client, f"p-{world.namespace}", f"{world.namespace}.test"
    await client.create_tree(definition(group))

    async def is_served() -> bool:
        return group.encode() in (await client.request("GET", "/apis")).body

    await world.eventually(is_served)
    rules = [
        {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments", "*/scale"]},
        {"apiGroups": [group], "apiVersions": ["v1"], "operations": ["*"], "resources": ["boxes"]},
        {"apiGroups": ["*"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["pods"]},
    ]
    policy = {
        "apiVersion": POLICIES.api_version, "kind": POLICIES.kind, "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": rules},
            "validations": [{"expression": "object.spec.size > 1"}, {"expression": "object.metadata.labels.size() > 0"}],
        },
    }  # fmt: skip
    await client.create_tree(policy)

    async def generation() -> int:
        status = (await client.get(POLICIES, name)).get("status") or {}
        return int(status.get("observedGeneration", 0))

    await world.eventually(lambda: generation())
    status = (await client.get(POLICIES, name))["status"]
    (warning,) = status["typeChecking"]["expressionWarnings"]
    assert warning["fieldRef"] == "spec.validations[0].expression"
    assert warning["warning"] == (
        "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'size'\n"
        " | object.spec.size > 1\n | ...........^\n"
    )
    wrong = {"spec": {"validations": [{"expression": "object.spec.sizes > 1"}]}}
    await client.patch(POLICIES, name, "", wrong)

    async def is_second() -> bool:
        return await generation() == 2

    await world.eventually(is_second)
    (warning,) = (await client.get(POLICIES, name))["status"]["typeChecking"]["expressionWarnings"]
    assert f"{group}/v1, Kind=Box: ERROR: <input>:1:12: undefined field 'sizes'" in warning["warning"]
    await client.delete(POLICIES, name)

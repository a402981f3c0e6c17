"""Claims that are made of templates, and how claims are given back."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from pybernetes.api.device_claims import FINALIZER, consumer
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.controllers.resourceclaim.pods import base_name

Claim = resource_v1.ResourceClaim
REQUESTS = {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpus"}}]}}
ALLOCATION = {"devices": {"results": [{"request": "gpu", "driver": "d.test", "pool": "p", "device": "0"}]}}


async def make(world: Any, kind: type[Any], name: str, **fields: Any) -> Any:
    tree = {"metadata": {"name": name, "namespace": world.namespace}, **fields}
    return await world.client.create(msgspec.convert(tree, kind))


async def make_pod(world: Any, name: str, claim: dict[str, Any], **spec: Any) -> core_v1.Pod:
    containers = [{"name": "c", "image": "i"}]
    spec = {"containers": containers, "resourceClaims": [{"name": "dev", **claim}], **spec}
    made: core_v1.Pod = await make(world, core_v1.Pod, name, spec=spec)
    return made


async def claims(world: Any) -> list[Claim]:
    return list((await world.client.list(Claim, world.namespace)).items)


async def allocate(world: Any, claim: Claim, *pods: core_v1.Pod) -> Claim:
    """What a scheduler does."""
    metadata = replace(claim.metadata, finalizers=[FINALIZER])
    claim = await world.client.update(replace(claim, metadata=metadata))
    allocation = msgspec.convert(ALLOCATION, resource_v1.AllocationResult)
    status = replace(claim.status, allocation=allocation, reserved_for=[consumer(pod) for pod in pods])
    allocated: Claim = await world.client.update_status(replace(claim, status=status))
    return allocated


@pytest.mark.parametrize(
    ("pod", "claim", "expected"),
    [
        ("web", "gpu", "web-gpu-"),
        ("p" * 50, "c" * 50, f"{'p' * 27}-{'c' * 27}"),
        ("p" * 60, "gpu", f"{'p' * 52}-gp"),
    ],
)
def test_names_of_claims_keep_something_of_both(pod: str, claim: str, expected: str) -> None:
    assert base_name(pod, claim) == expected


async def test_a_pod_gets_the_claim_of_its_template(world_of: Callable[..., Any]) -> None:
    async with world_of("resourceclaim-controller") as world:
        await make_pod(world, "p", {"resourceClaimTemplateName": "t"})
        spec = {"metadata": {"labels": {"kept": "yes"}}, "spec": REQUESTS}
        await make(world, resource_v1.ResourceClaimTemplate, "t", spec=spec)

        async def told() -> str | None:
            pod = await world.client.get(core_v1.Pod, "p", world.namespace)
            return next((one.resource_claim_name for one in pod.status.resource_claim_statuses), None)

        await world.eventually(told)
        (claim,) = await claims(world)
        assert claim.metadata.name == await told()
        assert (claim.metadata.name or "").startswith("p-dev-")
        assert claim.metadata.labels == {"kept": "yes"}
        assert claim.metadata.annotations == {"resource.kubernetes.io/pod-claim-name": "dev"}
        assert [owner.name for owner in claim.metadata.owner_references] == ["p"]
        await world.client.delete(Claim, claim.metadata.name or "", world.namespace)

        async def has_another() -> bool:
            return await told() not in (None, claim.metadata.name)

        await world.eventually(has_another)


async def test_a_claim_is_given_back_when_its_last_pod_has_ended(world_of: Callable[..., Any]) -> None:
    async with world_of("resourceclaim-controller") as world:
        made = await make(world, Claim, "shared", spec=REQUESTS)
        pods = [await make_pod(world, name, {"resourceClaimName": "shared"}) for name in ("a", "b")]
        await allocate(world, made, *pods)

        async def users() -> list[str]:
            found = await world.client.get(Claim, "shared", world.namespace)
            return [one.name for one in found.status.reserved_for]

        for pod, left in zip(pods, (["b"], []), strict=True):
            assert (await world.client.get(Claim, "shared", world.namespace)).status.allocation
            await world.set_pod(pod, phase="Succeeded")

            async def is_left(left: list[str] = left) -> bool:
                return await users() == left

            await world.eventually(is_left)

        async def is_free() -> bool:
            found = await world.client.get(Claim, "shared", world.namespace)
            return found.status.allocation is None and not found.metadata.finalizers

        await world.eventually(is_free)


async def test_a_claim_that_was_made_for_a_pod_goes_once_it_has_ended(world_of: Callable[..., Any]) -> None:
    async with world_of("resourceclaim-controller") as world:
        await make(world, resource_v1.ResourceClaimTemplate, "t", spec={"spec": REQUESTS})
        pod = await make_pod(world, "p", {"resourceClaimTemplateName": "t"})

        async def made() -> bool:
            return bool(await claims(world))

        await world.eventually(made)
        (claim,) = await claims(world)
        await allocate(world, claim, pod)
        await world.set_pod(pod, phase="Failed")

        async def is_gone() -> bool:
            return not await claims(world)

        await world.eventually(is_gone)


async def test_a_pod_that_no_scheduler_placed_has_its_claim_reserved(world_of: Callable[..., Any]) -> None:
    async with world_of("resourceclaim-controller") as world:
        made = await make(world, Claim, "own", spec=REQUESTS)
        await make_pod(world, "p", {"resourceClaimName": "own"}, nodeName="n")
        await allocate(world, made)

        async def users() -> bool:
            found = await world.client.get(Claim, "own", world.namespace)
            return [one.name for one in found.status.reserved_for] == ["p"]

        await world.eventually(users)

"""Deployments and ReplicaSets on a real API server."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from tests.controllers.conftest import World

from pybernetes.api.errors import StatusError
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.client.patch import PatchType
from pybernetes.controllers.deployment import revision
from pybernetes.controllers.replicaset import plan

WorldOf = Callable[..., Any]
BOTH = "deployment-controller,replicaset-controller"
LABELS = {"app": "d"}


def template(image: str) -> core_v1.PodTemplateSpec:
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image=image)])
    return core_v1.PodTemplateSpec(metadata=meta_v1.ObjectMeta(labels=LABELS), spec=spec)


async def make_deployment(world: World, replicas: int, **spec: Any) -> apps_v1.Deployment:
    made = apps_v1.DeploymentSpec(
        replicas=replicas, selector=meta_v1.LabelSelector(match_labels=LABELS), template=template("v1"), **spec
    )
    meta = meta_v1.ObjectMeta(name="d", namespace=world.namespace)
    return await world.client.create(apps_v1.Deployment(metadata=meta, spec=made))


async def make_set(world: World, name: str, replicas: int) -> apps_v1.ReplicaSet:
    spec = apps_v1.ReplicaSetSpec(
        replicas=replicas, selector=meta_v1.LabelSelector(match_labels=LABELS), template=template("v1")
    )
    meta = meta_v1.ObjectMeta(name=name, namespace=world.namespace)
    return await world.client.create(apps_v1.ReplicaSet(metadata=meta, spec=spec))


async def deployment(world: World) -> apps_v1.Deployment:
    found: apps_v1.Deployment = await world.client.get(apps_v1.Deployment, "d", world.namespace)
    return found


async def replica_sets(world: World) -> dict[str, apps_v1.ReplicaSet]:
    """By the image of their template."""
    found = (await world.client.list(apps_v1.ReplicaSet, world.namespace)).items
    return {one.spec.template.spec.containers[0].image or "": one for one in found}


async def patch(world: World, change: dict[str, Any]) -> None:
    await world.client.patch(apps_v1.Deployment, "d", world.namespace, change, PatchType.STRATEGIC)


def image(name: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": name}]}}}}


def is_rolled_out(world: World, replicas: int) -> Callable[[], Any]:
    async def check() -> bool:
        found = await deployment(world)
        counts = (found.status.replicas, found.status.updated_replicas, found.status.available_replicas)
        return counts == (replicas,) * 3 and found.status.observed_generation == found.metadata.generation

    return check


def reason(found: apps_v1.Deployment, type: str) -> str | None:
    return next((condition.reason for condition in found.status.conditions if condition.type == type), None)


async def test_a_deployment_rolls_out_scales_updates_and_goes_back(world_of: WorldOf) -> None:
    async with world_of(f"{BOTH},kubelet") as world:
        await make_deployment(world, 3)
        await world.eventually(is_rolled_out(world, 3))
        found = await deployment(world)
        assert (found.metadata.annotations[revision.REVISION], found.metadata.generation) == ("1", 1)
        assert reason(found, "Progressing") == "NewReplicaSetAvailable"
        assert reason(found, "Available") == "MinimumReplicasAvailable"
        first = (await replica_sets(world))["v1"]
        assert all((pod.metadata.name or "").startswith(f"{first.metadata.name}-") for pod in world.running_pods())
        await patch(world, {"spec": {"replicas": 5}})
        await world.eventually(is_rolled_out(world, 5))
        await patch(world, image("v2"))
        await world.eventually(is_rolled_out(world, 5))
        sets = await replica_sets(world)
        assert (sets["v1"].spec.replicas, sets["v2"].spec.replicas) == (0, 5)
        assert (await deployment(world)).metadata.annotations[revision.REVISION] == "2"
        await patch(world, image("v1"))
        await world.eventually(is_rolled_out(world, 5))
        sets = await replica_sets(world)
        assert sets["v1"].metadata.annotations[revision.REVISION] == "3"
        assert sets["v1"].metadata.annotations[revision.REVISION_HISTORY] == "1"
        assert (await deployment(world)).metadata.annotations[revision.REVISION] == "3"
        name = first.metadata.name
        await world.wait_told("ScalingReplicaSet", f"Scaled up replica set {name} from 0 to 3")
        await world.wait_told("ScalingReplicaSet", f"Scaled up replica set {name} from 3 to 5")
        await world.wait_told("SuccessfulCreate", f"Created pod: {name}-")


async def test_a_broken_image_leaves_the_old_pods_serving(world_of: WorldOf) -> None:
    async with world_of(BOTH) as world:
        await make_deployment(world, 3, progress_deadline_seconds=1)
        await world.eventually(lambda: len(world.running_pods()) == 3)
        for pod in world.running_pods():
            await world.set_pod(pod)
        await world.eventually(is_rolled_out(world, 3))
        await patch(world, image("broken"))

        async def is_stuck() -> bool:
            found = await deployment(world)
            status = found.status
            counts = (status.replicas, status.updated_replicas, status.available_replicas, status.unavailable_replicas)
            return counts == (4, 1, 3, 1) and reason(found, "Progressing") == "ProgressDeadlineExceeded"

        await world.eventually(is_stuck)
        assert reason(await deployment(world), "Available") == "MinimumReplicasAvailable"


async def test_a_paused_deployment_scales_but_does_not_roll(world_of: WorldOf) -> None:
    async with world_of(f"{BOTH},kubelet") as world:
        await make_deployment(world, 2)
        await world.eventually(is_rolled_out(world, 2))
        await patch(world, {"spec": {"paused": True}})

        async def is_paused() -> bool:
            return reason(await deployment(world), "Progressing") == "DeploymentPaused"

        await world.eventually(is_paused)
        await patch(world, image("v2"))
        await patch(world, {"spec": {"replicas": 4}})
        await world.eventually(lambda: len(world.running_pods()) == 4)
        assert set(await replica_sets(world)) == {"v1"}
        await patch(world, {"spec": {"paused": None}})
        await world.eventually(is_rolled_out(world, 4))
        assert set(await replica_sets(world)) == {"v1", "v2"}


async def test_recreate_lets_all_old_pods_go_first(world_of: WorldOf) -> None:
    async with world_of(BOTH) as world:
        await make_deployment(world, 2, strategy=apps_v1.DeploymentStrategy(type="Recreate"))
        await world.eventually(lambda: len(world.running_pods()) == 2)
        old = world.running_pods()
        for pod in old:
            await world.client.patch(core_v1.Pod, pod.metadata.name or "", world.namespace, {"metadata": {"finalizers": ["test/keep"]}})  # fmt: skip
        await patch(world, image("v2"))
        await world.eventually(lambda: not world.running_pods())
        assert set(await replica_sets(world)) == {"v1"}
        for pod in old:
            await world.client.patch(core_v1.Pod, pod.metadata.name or "", world.namespace, {"metadata": {"finalizers": None}})  # fmt: skip
            if any(left.metadata.uid == pod.metadata.uid for left in world.pods.list()):
                with suppress(StatusError):  # it may have gone meanwhile
                    await world.client.delete(
                        core_v1.Pod, pod.metadata.name or "", world.namespace, grace_period_seconds=0
                    )
        await world.eventually(lambda: len(world.running_pods()) == 2)
        assert {pod.spec.containers[0].image for pod in world.running_pods()} == {"v2"}


async def test_old_revisions_beyond_the_limit_are_deleted(world_of: WorldOf) -> None:
    async with world_of(f"{BOTH},kubelet") as world:
        await make_deployment(world, 1, revision_history_limit=1)
        for name in ("v2", "v3"):
            await world.eventually(is_rolled_out(world, 1))
            await patch(world, image(name))
        await world.eventually(is_rolled_out(world, 1))

        async def is_cleaned_up() -> bool:
            return set(await replica_sets(world)) == {"v2", "v3"}

        await world.eventually(is_cleaned_up)


async def test_the_change_cause_follows_into_the_set(world_of: WorldOf) -> None:
    async with world_of(f"{BOTH},kubelet") as world:
        await make_deployment(world, 1)
        await world.eventually(is_rolled_out(world, 1))
        await patch(world, {"metadata": {"annotations": {"kubernetes.io/change-cause": "because"}}})

        async def is_copied() -> bool:
            return (await replica_sets(world))["v1"].metadata.annotations.get("kubernetes.io/change-cause") == "because"

        await world.eventually(is_copied)


async def test_exactly_as_many_pods_are_made_as_wanted(world_of: WorldOf) -> None:
    async with world_of("replicaset-controller") as world:
        made = await make_set(world, "s", 30)
        await world.eventually(lambda: len(world.running_pods()) >= 30)

        async def is_counted() -> bool:
            found = await world.client.get(apps_v1.ReplicaSet, "s", world.namespace)
            return found.status.replicas == 30 and found.status.fully_labeled_replicas == 30

        await world.eventually(is_counted)
        pods = (await world.client.list(core_v1.Pod, world.namespace)).items
        assert len(pods) == 30
        assert all(pod.metadata.owner_references[0].uid == made.metadata.uid for pod in pods)


async def test_a_deleted_pod_is_replaced_and_the_least_useful_goes(world_of: WorldOf) -> None:
    async with world_of("replicaset-controller") as world:
        await make_set(world, "s", 3)
        await world.eventually(lambda: len(world.running_pods()) == 3)
        victim = world.running_pods()[0]
        await world.client.delete(core_v1.Pod, victim.metadata.name or "", world.namespace, grace_period_seconds=0)
        await world.eventually(
            lambda: len(world.running_pods()) == 3 and victim.metadata.uid not in {pod.metadata.uid for pod in world.running_pods()}
        )  # fmt: skip
        ready = world.running_pods()[1]
        await world.set_pod(ready)
        await world.client.patch(apps_v1.ReplicaSet, "s", world.namespace, {"spec": {"replicas": 1}})
        await world.eventually(lambda: [pod.metadata.uid for pod in world.running_pods()] == [ready.metadata.uid])
        await world.wait_told("SuccessfulDelete", "Deleted pod: s-")


async def test_loose_pods_are_adopted_and_relabelled_ones_released(world_of: WorldOf) -> None:
    async with world_of("replicaset-controller") as world:
        meta = meta_v1.ObjectMeta(name="loose", namespace=world.namespace, labels=LABELS)
        await world.client.create(core_v1.Pod(metadata=meta, spec=template("v1").spec))
        made = await make_set(world, "s", 2)
        await world.eventually(lambda: len(world.running_pods()) == 2)
        found = await world.client.get(core_v1.Pod, "loose", world.namespace)
        assert found.metadata.owner_references[0].uid == made.metadata.uid
        await world.client.patch(core_v1.Pod, "loose", world.namespace, {"metadata": {"labels": {"app": "other"}}})
        await world.eventually(lambda: len(world.running_pods()) == 3)
        found = await world.client.get(core_v1.Pod, "loose", world.namespace)
        assert found.metadata.owner_references == []


async def test_what_keeps_pods_from_being_made_is_on_the_set(world_of: WorldOf) -> None:
    async with world_of("replicaset-controller") as world:
        quota = core_v1.ResourceQuota(
            metadata=meta_v1.ObjectMeta(name="none", namespace=world.namespace), spec=core_v1.ResourceQuotaSpec(hard={"pods": "0"})
        )  # fmt: skip
        stored = await world.client.create(quota)
        status = core_v1.ResourceQuotaStatus(hard={"pods": "0"}, used={"pods": "0"})
        await world.client.update_status(msgspec.structs.replace(stored, status=status))
        await make_set(world, "s", 2)

        async def has_failed() -> bool:
            found = await world.client.get(apps_v1.ReplicaSet, "s", world.namespace)
            return [condition.reason for condition in found.status.conditions] == ["FailedCreate"]

        await world.eventually(has_failed)
        await world.wait_told("FailedCreate", "Error creating: pods ")
        await world.client.delete(core_v1.ResourceQuota, "none", world.namespace)
        await world.eventually(lambda: len(world.running_pods()) == 2)


def test_a_standing_failure_is_not_written_again_for_the_name_of_another_pod() -> None:
    spec = apps_v1.ReplicaSetSpec(selector=meta_v1.LabelSelector(match_labels=LABELS), template=template("v1"))
    replica_set = apps_v1.ReplicaSet(metadata=meta_v1.ObjectMeta(name="s"), spec=spec)
    first, second = (plan.Failure("FailedCreate", f'pods "s-{name}" is forbidden') for name in ("abcde", "fghij"))
    standing = plan.status_of(replica_set, plan.Counts(), first, "2030-01-01T00:00:00Z")
    failed = msgspec.structs.replace(replica_set, status=standing)
    assert plan.same_status(standing, plan.status_of(failed, plan.Counts(), second, "2030-01-01T00:00:01Z"))
    assert not plan.same_status(standing, plan.status_of(failed, plan.Counts(), None, "2030-01-01T00:00:01Z"))


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_what_a_deleted_deployment_owned_goes(world_of: WorldOf, policy: str) -> None:
    async with world_of(f"{BOTH},garbage-collector-controller,kubelet") as world:
        await make_deployment(world, 2)
        await world.eventually(is_rolled_out(world, 2))
        await world.client.delete(apps_v1.Deployment, "d", world.namespace, propagation_policy=policy)

        async def is_empty() -> bool:
            sets = (await world.client.list(apps_v1.ReplicaSet, world.namespace)).items
            all_deployments = (await world.client.list(apps_v1.Deployment, world.namespace)).items
            return not (sets or all_deployments or world.pods.list())

        await world.eventually(is_empty)


async def test_orphans_stay(world_of: WorldOf) -> None:
    async with world_of("replicaset-controller,garbage-collector-controller,kubelet") as world:
        await make_set(world, "s", 2)
        await world.eventually(lambda: len(world.running_pods()) == 2)
        await world.client.delete(apps_v1.ReplicaSet, "s", world.namespace, propagation_policy="Orphan")

        async def is_gone() -> bool:
            return not (await world.client.list(apps_v1.ReplicaSet, world.namespace)).items

        await world.eventually(is_gone)
        pods = (await world.client.list(core_v1.Pod, world.namespace)).items
        assert [pod.metadata.owner_references for pod in pods] == [[], []]


async def test_a_replication_controller_keeps_its_pods(world_of: WorldOf) -> None:
    async with world_of("replicationcontroller-controller,kubelet") as world:
        spec = core_v1.ReplicationControllerSpec(replicas=2, selector=LABELS, template=template("v1"))
        meta = meta_v1.ObjectMeta(name="r", namespace=world.namespace)
        await world.client.create(core_v1.ReplicationController(metadata=meta, spec=spec))

        async def is_available() -> bool:
            found = await world.client.get(core_v1.ReplicationController, "r", world.namespace)
            return found.status.available_replicas == 2 and found.status.observed_generation == 1

        await world.eventually(is_available)
        assert {pod.metadata.owner_references[0].kind for pod in world.running_pods()} == {"ReplicationController"}
        await world.client.delete(core_v1.ReplicationController, "r", world.namespace)

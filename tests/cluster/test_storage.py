"""The class `standard` and its kin against a real API server, with the real scheduler: directories come and go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiservers import running_apiserver
from tests.controllers.conftest import World, running_world

from pybernetes.aio.clock import SystemClock
from pybernetes.aio.tasks import open_scope
from pybernetes.api.errors import StatusError, is_not_found
from pybernetes.api.types import core_v1 as core
from pybernetes.api.types import meta_v1 as meta
from pybernetes.api.types import storage_v1 as storage_api
from pybernetes.cluster import storage
from pybernetes.controllers.volume.binder import PROVISIONED_BY
from pybernetes.scheduler import main as scheduler

CONTROLLERS = "persistentvolume-binder-controller,persistentvolumeclaim-protection-controller,persistentvolume-protection-controller"
HOME = "home"


@pytest.fixture(scope="module")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server:
        yield server.url


@pytest.fixture
async def world(apiserver: str, tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(apiserver, CONTROLLERS) as made, open_scope("storage") as scope:
        clock = SystemClock()
        scope.spawn(storage.run(made.informers, tmp_path, clock), "provisioner")
        scope.spawn(scheduler.run(scheduler.Options(leader_elect=False), made.informers, clock), "scheduler")
        await given_node(made)
        yield made
        await scope.close()


async def given_node(world: World) -> None:
    status = core.NodeStatus(allocatable={"cpu": "4", "memory": "4Gi", "pods": "100"})
    labels = {"kubernetes.io/hostname": HOME}
    try:
        await world.client.create(core.Node(metadata=meta.ObjectMeta(name=HOME, labels=labels), status=status))
        await world.client.patch(core.Node, HOME, "", {"spec": {"taints": []}})
    except StatusError as error:
        if error.code != 409:
            raise


async def given_class(world: World, **fields: Any) -> str:
    """A class of the test's own; its name."""
    made = storage_api.StorageClass(metadata=meta.ObjectMeta(name=world.namespace), **fields)
    await world.client.create(made)
    return world.namespace


async def given_claim(world: World, storage_class: str, **fields: Any) -> core.PersistentVolumeClaim:
    spec = core.PersistentVolumeClaimSpec(
        access_modes=["ReadWriteOnce"], storage_class_name=storage_class, resources=core.VolumeResourceRequirements(requests={"storage": "1Gi"}), **fields
    )  # fmt: skip
    metadata = meta.ObjectMeta(name="data", namespace=world.namespace)
    return await world.client.create(core.PersistentVolumeClaim(metadata=metadata, spec=spec))


async def given_pod(world: World, **fields: Any) -> None:
    source = core.PersistentVolumeClaimVolumeSource(claim_name="data")
    volume = core.Volume(name="v", persistent_volume_claim=source)
    spec = core.PodSpec(containers=[core.Container(name="c", image="i")], volumes=[volume], **fields)
    await world.client.create(core.Pod(metadata=meta.ObjectMeta(name="p", namespace=world.namespace), spec=spec))


async def claim_of(world: World) -> core.PersistentVolumeClaim:
    return await world.client.get(core.PersistentVolumeClaim, "data", world.namespace)


def until(world: World, check: Callable[[core.PersistentVolumeClaim], object]) -> Awaitable[None]:
    async def holds() -> bool:
        return bool(check(await claim_of(world)))

    return world.eventually(holds)


async def volume_of(world: World, name: str) -> core.PersistentVolume | None:
    try:
        return await world.client.get(core.PersistentVolume, name)
    except StatusError as error:
        if is_not_found(error):
            return None
        raise


async def remove_claim(world: World) -> None:
    await world.client.delete(core.PersistentVolumeClaim, "data", world.namespace)


async def test_a_claim_gets_a_directory_on_the_node_of_its_pod(world: World, tmp_path: Path) -> None:
    await given_claim(world, "standard")
    await world.wait_told("WaitForFirstConsumer", "waiting for first consumer to be created before binding")
    await given_pod(world)
    await until(world, lambda claim: claim.status.phase == "Bound")
    claim = await claim_of(world)
    assert claim.metadata.annotations["volume.kubernetes.io/selected-node"] == HOME
    name = claim.spec.volume_name or ""
    volume = await volume_of(world, name)
    assert volume is not None
    assert volume.spec.node_affinity is None, "the nodes of a machine share its disk"
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o777
    await world.wait_told("ProvisioningSucceeded", f"Successfully provisioned volume {name}")

    async def is_placed() -> bool:
        return (await world.client.get(core.Pod, "p", world.namespace)).spec.node_name == HOME

    await world.eventually(is_placed)
    # It grows on request, pods or not.
    await world.client.patch(
        core.PersistentVolumeClaim, "data", world.namespace, {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    )
    await until(world, lambda claim: claim.status.capacity == {"storage": "2Gi"})
    await world.wait_told("VolumeResizeSuccessful", "Resize volume succeeded")
    (tmp_path / name / "file").write_text("kept")
    await world.client.delete(core.Pod, "p", world.namespace, grace_period_seconds=0)
    await remove_claim(world)

    async def is_gone() -> bool:
        return await volume_of(world, name) is None

    await world.eventually(is_gone)
    assert not (tmp_path / name).exists()


async def test_an_immediate_class_that_retains_keeps_the_data(world: World, tmp_path: Path) -> None:
    made = await given_class(
        world, provisioner=storage.PROVISIONER, reclaim_policy="Retain", volume_binding_mode="Immediate"
    )
    await given_claim(world, made)
    await until(world, lambda claim: claim.status.phase == "Bound")
    name = (await claim_of(world)).spec.volume_name or ""
    volume = await volume_of(world, name)
    assert volume is not None
    assert volume.spec.node_affinity is None
    await remove_claim(world)

    async def is_released() -> bool:
        found = await volume_of(world, name)
        return found is not None and found.status.phase == "Released"

    await world.eventually(is_released)
    await world.client.delete(core.PersistentVolume, name)

    async def is_gone() -> bool:
        return await volume_of(world, name) is None

    await world.eventually(is_gone)
    assert (tmp_path / name).is_dir()


async def test_blocks_are_refused_by_name(world: World) -> None:
    made = await given_class(world, provisioner=storage.PROVISIONER, volume_binding_mode="Immediate")
    await given_claim(world, made, volume_mode="Block")
    words = f'failed to provision volume with StorageClass "{made}": only volumeMode Filesystem is supported'
    await world.wait_told("ProvisioningFailed", words)


async def test_the_scheduler_binds_the_volume_of_the_node_it_chose(world: World) -> None:
    made = await given_class(
        world, provisioner="kubernetes.io/no-provisioner", volume_binding_mode="WaitForFirstConsumer"
    )
    for name, node in (("elsewhere", "other"), ("here", HOME)):
        at = core.NodeSelectorRequirement(key="kubernetes.io/hostname", operator="In", values=[node])
        required = core.NodeSelector(node_selector_terms=[core.NodeSelectorTerm(match_expressions=[at])])
        spec = core.PersistentVolumeSpec(
            access_modes=["ReadWriteOnce"], capacity={"storage": "1Gi"}, storage_class_name=made,
            local=core.LocalVolumeSource(path="/data"), node_affinity=core.VolumeNodeAffinity(required=required),
        )  # fmt: skip
        metadata = meta.ObjectMeta(name=f"{name}-{world.namespace}")
        await world.client.create(core.PersistentVolume(metadata=metadata, spec=spec))
    await given_claim(world, made)
    await given_pod(world)
    await until(world, lambda claim: claim.status.phase == "Bound")
    assert (await claim_of(world)).spec.volume_name == f"here-{world.namespace}"


async def test_a_pod_that_waits_is_named_by_its_claim(world: World) -> None:
    made = await given_class(world, provisioner=storage.PROVISIONER, volume_binding_mode="WaitForFirstConsumer")
    await given_pod(world, node_selector={"no": "where"})
    await world.eventually(world.running_pods)
    await given_claim(world, made)
    await world.wait_told("WaitForPodScheduled", "waiting for pod p to be scheduled")


async def test_only_what_was_made_here_is_removed(world: World, tmp_path: Path) -> None:
    """Whoever may write volumes can give them any path, and any annotation."""
    precious = tmp_path / "precious"
    precious.mkdir()
    metadata = meta.ObjectMeta(name=f"trap-{world.namespace}", annotations={PROVISIONED_BY: storage.PROVISIONER})
    spec = core.PersistentVolumeSpec(
        access_modes=["ReadWriteOnce"], capacity={"storage": "1Gi"}, storage_class_name="none",
        host_path=core.HostPathVolumeSource(path=str(precious)), persistent_volume_reclaim_policy="Delete",
    )  # fmt: skip
    await world.client.create(core.PersistentVolume(metadata=metadata, spec=spec))
    await given_claim(world, "none")
    await until(world, lambda claim: claim.status.phase == "Bound")
    await remove_claim(world)

    async def is_gone() -> bool:
        return await volume_of(world, metadata.name or "") is None

    await world.eventually(is_gone)
    assert precious.is_dir()

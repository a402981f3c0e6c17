"""Volumes and claims: which suit one another, as a table; binding and protection on a real API server."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pybernetes.api import volumes as match
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1, meta_v1, storage_v1


def claim(
    size: str = "3Gi", modes: tuple[str, ...] = ("ReadWriteOnce",), storage_class: str | None = "manual",
    namespace: str = "n", **spec: Any,
) -> core_v1.PersistentVolumeClaim:  # fmt: skip
    made = core_v1.PersistentVolumeClaimSpec(
        access_modes=list(modes), storage_class_name=storage_class, resources=core_v1.VolumeResourceRequirements(requests={"storage": size}), **spec
    )  # fmt: skip
    return core_v1.PersistentVolumeClaim(
        metadata=meta_v1.ObjectMeta(name="c", namespace=namespace, uid="cu"), spec=made
    )


def volume(
    name: str = "v", size: str = "10Gi", modes: tuple[str, ...] = ("ReadWriteOnce",), storage_class: str = "manual", **spec: Any
) -> core_v1.PersistentVolume:  # fmt: skip
    path = core_v1.HostPathVolumeSource(path="/tmp/data")
    made = core_v1.PersistentVolumeSpec(
        access_modes=list(modes), capacity={"storage": size}, storage_class_name=storage_class, host_path=path, **spec
    )
    return core_v1.PersistentVolume(metadata=meta_v1.ObjectMeta(name=name), spec=made)


def reference(name: str, uid: str | None = None) -> core_v1.ObjectReference:
    return core_v1.ObjectReference(namespace="n", name=name, uid=uid)


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([], None),
        ([volume("big", "20Gi"), volume("small", "5Gi"), volume("tiny", "1Gi")], "small"),
        ([volume("other", storage_class="fast")], None),
        ([volume("modes", modes=("ReadOnlyMany",))], None),
        ([volume("block", volume_mode="Block")], None),
        ([volume("taken", claim_ref=reference("other"))], None),
        ([volume("small", "5Gi"), volume("mine", "50Gi", claim_ref=reference("c"))], "mine"),
        ([volume("former", claim_ref=reference("c", "old"))], None),
    ],
)
def test_the_smallest_volume_that_suits_is_taken(volumes: list[core_v1.PersistentVolume], expected: str | None) -> None:
    found = match.best(claim(), volumes)
    assert (found.metadata.name if found else None) == expected


async def test_a_claim_is_bound_used_and_given_back(world_of: Callable[..., Any]) -> None:
    controllers = "persistentvolume-binder-controller,persistentvolumeclaim-protection-controller,persistentvolume-protection-controller"
    async with world_of(controllers) as world:
        name, storage_class = f"v-{world.namespace}", world.namespace
        await world.client.create(volume(name, storage_class=storage_class))
        wanted = claim(namespace=world.namespace, storage_class=storage_class)
        await world.client.create(wanted)

        async def get_claim() -> core_v1.PersistentVolumeClaim:
            found: core_v1.PersistentVolumeClaim = await world.client.get(
                core_v1.PersistentVolumeClaim, "c", world.namespace
            )
            return found

        async def volume_phase() -> str | None:
            found: core_v1.PersistentVolume = await world.client.get(core_v1.PersistentVolume, name)
            return found.status.phase

        async def is_bound() -> bool:
            return (await get_claim()).status.phase == "Bound" and await volume_phase() == "Bound"

        await world.eventually(is_bound)
        found = await get_claim()
        assert (found.spec.volume_name, found.status.capacity) == (name, {"storage": "10Gi"})
        mounted = core_v1.Volume(
            name="data", persistent_volume_claim=core_v1.PersistentVolumeClaimVolumeSource(claim_name="c")
        )
        spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")], volumes=[mounted])
        meta = meta_v1.ObjectMeta(name="p", namespace=world.namespace)
        await world.client.create(core_v1.Pod(metadata=meta, spec=spec))
        await world.eventually(world.running_pods)
        await world.client.delete(core_v1.PersistentVolumeClaim, "c", world.namespace)
        assert (await get_claim()).metadata.deletion_timestamp is not None
        await world.client.delete(core_v1.Pod, "p", world.namespace, grace_period_seconds=0)

        async def is_released() -> bool:
            return await volume_phase() == "Released"

        await world.eventually(is_released)
        with pytest.raises(StatusError):
            await get_claim()
        await world.client.delete(core_v1.PersistentVolume, name)


async def test_a_class_of_attributes_goes_once_nothing_names_it(world_of: Callable[..., Any]) -> None:
    async with world_of("volumeattributesclass-protection-controller") as world:
        named, free = f"named-{world.namespace}", f"free-{world.namespace}"
        for name in (named, free):
            made = storage_v1.VolumeAttributesClass(
                metadata=meta_v1.ObjectMeta(name=name), driver_name="d.test", parameters={"a": "b"}
            )
            made = await world.client.create(made)
            assert made.metadata.finalizers == ["kubernetes.io/vac-protection"]
        wanted = claim(namespace=world.namespace, storage_class="")
        spec = msgspec.structs.replace(wanted.spec, volume_attributes_class_name=named)
        await world.client.create(msgspec.structs.replace(wanted, spec=spec))
        for name in (named, free):
            await world.client.delete(storage_v1.VolumeAttributesClass, name)

        def is_gone(name: str) -> Callable[[], Any]:
            async def check() -> bool:
                left = (await world.client.list(storage_v1.VolumeAttributesClass)).items
                return name not in {one.metadata.name for one in left}

            return check

        await world.eventually(is_gone(free))
        assert not await is_gone(named)()
        await world.client.delete(core_v1.PersistentVolumeClaim, "c", world.namespace)
        gone = {"metadata": {"finalizers": None}}
        await world.client.patch(core_v1.PersistentVolumeClaim, "c", world.namespace, gone)
        await world.eventually(is_gone(named))


async def test_what_a_claim_waits_for_is_told(world_of: Callable[..., Any]) -> None:
    async with world_of("persistentvolume-binder-controller") as world:
        await world.client.create(claim(namespace=world.namespace, storage_class=""))

        expected = "no persistent volumes available for this claim and no storage class is set"
        await world.wait_told("FailedBinding", expected)


async def test_a_pod_gets_the_claims_of_its_ephemeral_volumes(world_of: Callable[..., Any]) -> None:
    async with world_of("ephemeral-volume-controller,garbage-collector-controller,kubelet") as world:
        template = core_v1.PersistentVolumeClaimTemplate(
            metadata=meta_v1.ObjectMeta(labels={"kept": "yes"}), spec=claim().spec
        )
        source = core_v1.EphemeralVolumeSource(volume_claim_template=template)
        spec = core_v1.PodSpec(
            containers=[core_v1.Container(name="c", image="i")],
            volumes=[core_v1.Volume(name="scratch", ephemeral=source)],
        )
        meta = meta_v1.ObjectMeta(name="p", namespace=world.namespace)
        made = await world.client.create(core_v1.Pod(metadata=meta, spec=spec))

        async def claims() -> list[core_v1.PersistentVolumeClaim]:
            return list((await world.client.list(core_v1.PersistentVolumeClaim, world.namespace)).items)

        await world.eventually(claims)
        (found,) = await claims()
        assert (found.metadata.name, found.metadata.labels) == ("p-scratch", {"kept": "yes"})
        assert [(one.kind, one.uid) for one in found.metadata.owner_references] == [("Pod", made.metadata.uid)]
        assert found.spec.storage_class_name == "manual"
        await world.client.delete(core_v1.Pod, "p", world.namespace)

        async def is_going() -> bool:
            return all(one.metadata.deletion_timestamp for one in await claims())

        await world.eventually(is_going)

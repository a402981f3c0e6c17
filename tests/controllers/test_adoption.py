"""What an owner leaves behind, and who takes it over; on a real API server."""

from collections.abc import Callable
from typing import Any

import msgspec

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers.ownership import controller_of

LABELS = {"app": "web"}


def template() -> core_v1.PodTemplateSpec:
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")])
    return core_v1.PodTemplateSpec(metadata=meta_v1.ObjectMeta(labels=LABELS), spec=spec)


def stateful(namespace: str, replicas: int, **spec: Any) -> apps_v1.StatefulSet:
    selector = meta_v1.LabelSelector(match_labels=LABELS)
    made = apps_v1.StatefulSetSpec(replicas=replicas, selector=selector, template=template(), service_name="w", **spec)
    return apps_v1.StatefulSet(metadata=meta_v1.ObjectMeta(name="web", namespace=namespace), spec=made)


def loose(name: str, namespace: str) -> core_v1.Pod:
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace=namespace, labels=LABELS), spec=template().spec
    )  # fmt: skip


def owner_of(world: Any, name: str) -> str:
    found = world.pods.get(name, world.namespace)
    owner = controller_of(found) if found is not None else None
    return owner.name if owner is not None else ""


async def make_anew(world: Any, made: apps_v1.StatefulSet | apps_v1.DaemonSet) -> None:
    """As `kubectl delete --cascade=orphan` and `kubectl create`; until the new one is in charge of all."""
    kind, name = type(made), made.metadata.name or ""
    uid = (await world.client.get(kind, name, world.namespace)).metadata.uid
    await world.client.delete(kind, name, world.namespace, propagation_policy="Orphan")
    gone = world.informers.of(kind)
    await world.eventually(lambda: gone.get(name, world.namespace) is None)
    await world.client.create(made)

    async def is_in_charge() -> bool:
        found = await world.client.get(kind, name, world.namespace)
        owners = {owner.uid for pod in world.pods.list() if (owner := controller_of(pod)) is not None}
        return found.status.observed_generation == 1 and owners == {found.metadata.uid} and found.metadata.uid != uid

    await world.eventually(is_in_charge)


async def test_a_stateful_set_that_is_made_anew_keeps_its_pods(world_of: Callable[..., Any]) -> None:
    async with world_of("statefulset-controller,garbage-collector-controller,kubelet") as world:
        made = stateful(world.namespace, 2)
        await world.client.create(made)
        await world.eventually(lambda: len(world.started_pods()) == 2)
        before = {pod.metadata.uid for pod in world.started_pods()}
        await make_anew(world, made)

        async def is_up_to_date() -> bool:
            status = (await world.client.get(apps_v1.StatefulSet, "web", world.namespace)).status
            return (status.updated_replicas, status.ready_replicas) == (2, 2)

        await world.eventually(is_up_to_date)
        assert {pod.metadata.uid for pod in world.pods.list()} == before
        revisions = (await world.client.list(apps_v1.ControllerRevision, world.namespace)).items
        assert [found.revision for found in revisions] == [1]


async def test_a_daemon_set_that_is_made_anew_keeps_its_pods(world_of: Callable[..., Any]) -> None:
    async with world_of("daemonset-controller,garbage-collector-controller,kubelet") as world:
        node, chosen = f"{world.namespace}-n", {"test": world.namespace}
        await world.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name=node, labels=chosen)))
        await world.client.patch(core_v1.Node, node, "", {"spec": {"taints": None}})
        selected = msgspec.structs.replace(template().spec, node_selector=chosen)
        spec = apps_v1.DaemonSetSpec(
            selector=meta_v1.LabelSelector(match_labels=LABELS),
            template=msgspec.structs.replace(template(), spec=selected),
        )
        made = apps_v1.DaemonSet(metadata=meta_v1.ObjectMeta(name="d", namespace=world.namespace), spec=spec)
        await world.client.create(made)
        await world.eventually(lambda: len(world.started_pods()) == 1)
        before = {pod.metadata.uid for pod in world.started_pods()}
        await make_anew(world, made)

        async def is_up_to_date() -> bool:
            status = (await world.client.get(apps_v1.DaemonSet, "d", world.namespace)).status
            return (status.updated_number_scheduled, status.number_ready) == (1, 1)

        await world.eventually(is_up_to_date)
        assert {pod.metadata.uid for pod in world.pods.list()} == before
        await world.client.delete(core_v1.Node, node)


async def test_a_stateful_set_adopts_those_that_have_a_number_in_it(world_of: Callable[..., Any]) -> None:
    async with world_of("statefulset-controller,kubelet") as world:
        await world.client.create(loose("debug", world.namespace))
        await world.client.create(loose("web-1", world.namespace))
        await world.client.create(stateful(world.namespace, 2))

        async def is_settled() -> bool:
            status = (await world.client.get(apps_v1.StatefulSet, "web", world.namespace)).status
            return (status.replicas, status.ready_replicas, status.updated_replicas) == (2, 2, 2)

        await world.eventually(is_settled)
        assert [owner_of(world, name) for name in ("web-0", "web-1", "debug")] == ["web", "web", ""]
        # One that comes later and has a number beyond the set's size is adopted, and scaled away.
        await world.client.create(loose("web-7", world.namespace))
        await world.eventually(lambda: world.pods.get("web-7", world.namespace) is None)
        assert world.pods.get("debug", world.namespace) is not None


async def test_an_adopted_pod_gets_the_labels_by_which_it_is_found(world_of: Callable[..., Any]) -> None:
    async with world_of("statefulset-controller,kubelet") as world:
        await world.client.create(loose("web-0", world.namespace))
        strategy = apps_v1.StatefulSetUpdateStrategy(type="OnDelete")
        await world.client.create(stateful(world.namespace, 1, update_strategy=strategy))
        wanted = {"statefulset.kubernetes.io/pod-name": "web-0", "apps.kubernetes.io/pod-index": "0"}
        await world.eventually(
            lambda: wanted.items() <= world.pods.get("web-0", world.namespace).metadata.labels.items()
        )  # fmt: skip


def data() -> core_v1.PersistentVolumeClaim:
    requests = core_v1.VolumeResourceRequirements(requests={"storage": "1Gi"})
    spec = core_v1.PersistentVolumeClaimSpec(access_modes=["ReadWriteOnce"], resources=requests)
    return core_v1.PersistentVolumeClaim(metadata=meta_v1.ObjectMeta(name="data"), spec=spec)


async def test_a_claim_that_does_not_go_keeps_no_other_pod_from_being_made(world_of: Callable[..., Any]) -> None:
    async with world_of("statefulset-controller") as world:
        made = stateful(world.namespace, 1, volume_claim_templates=[data()], pod_management_policy="Parallel")
        await world.client.create(made)
        await world.eventually(lambda: len(world.running_pods()) == 1)
        # Nobody takes its finalizer away here.
        await world.client.delete(core_v1.PersistentVolumeClaim, "data-web-0", world.namespace)
        claims = world.informers.of(core_v1.PersistentVolumeClaim)
        await world.eventually(lambda: claims.get("data-web-0", world.namespace).metadata.deletion_timestamp)
        await world.client.patch(apps_v1.StatefulSet, "web", world.namespace, {"spec": {"replicas": 3}})
        await world.eventually(lambda: len(world.running_pods()) == 3)


async def test_a_claim_that_goes_before_its_pod_runs_is_made_again(world_of: Callable[..., Any]) -> None:
    async with world_of("statefulset-controller,persistentvolumeclaim-protection-controller") as world:
        await world.client.create(stateful(world.namespace, 1, volume_claim_templates=[data()]))
        await world.eventually(lambda: len(world.running_pods()) == 1)
        first = await world.client.get(core_v1.PersistentVolumeClaim, "data-web-0", world.namespace)
        await world.client.delete(core_v1.PersistentVolumeClaim, "data-web-0", world.namespace)
        claims = world.informers.of(core_v1.PersistentVolumeClaim)

        def is_another() -> bool:
            found = claims.get("data-web-0", world.namespace)
            return found is not None and found.metadata.uid != first.metadata.uid

        await world.eventually(is_another)
        assert len(world.running_pods()) == 1


async def test_a_pod_that_cannot_be_adopted_keeps_no_other(world_of: Callable[..., Any]) -> None:
    async with world_of("replicaset-controller") as world:
        world.refuse("patch", "a-stubborn")
        for name in ("a-stubborn", "b"):
            await world.client.create(loose(name, world.namespace))
        spec = apps_v1.ReplicaSetSpec(
            replicas=2, selector=meta_v1.LabelSelector(match_labels=LABELS), template=template()
        )  # fmt: skip
        meta = meta_v1.ObjectMeta(name="r", namespace=world.namespace)
        await world.client.create(apps_v1.ReplicaSet(metadata=meta, spec=spec))
        await world.eventually(lambda: owner_of(world, "b") == "r")

"""StatefulSets: order, identity and updates as tables, then on a real API server."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers.history import REVISION_LABEL
from pybernetes.controllers.statefulset import retention
from pybernetes.controllers.statefulset.identity import claims_of, pod_of
from pybernetes.controllers.statefulset.plan import plan_step, status_of, view_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = {"app": "web"}


def template(image: str = "a") -> core_v1.PodTemplateSpec:
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image=image)])
    return core_v1.PodTemplateSpec(metadata=meta_v1.ObjectMeta(labels=LABELS), spec=spec)


def stateful(replicas: int, **spec: Any) -> apps_v1.StatefulSet:
    made = apps_v1.StatefulSetSpec(
        replicas=replicas, selector=meta_v1.LabelSelector(match_labels=LABELS), template=template(), service_name="web", **spec
    )  # fmt: skip
    return apps_v1.StatefulSet(metadata=meta_v1.ObjectMeta(name="web", namespace="n", uid="u"), spec=made)


def pod(ordinal: int, state: str = "ready", revision: str = "new") -> core_v1.Pod:
    """ready, pending, failed or leaving."""
    condition = core_v1.PodCondition(type="Ready", status=str(state == "ready"))
    meta = meta_v1.ObjectMeta(
        name=f"web-{ordinal}", labels={REVISION_LABEL: revision}, deletion_timestamp="2026-01-01T00:00:00Z" if state == "leaving" else None
    )  # fmt: skip
    status = core_v1.PodStatus(phase="Failed" if state == "failed" else "Running", conditions=[condition])
    return core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[]), status=status)


@pytest.mark.parametrize(
    ("replicas", "pods", "create", "delete"),
    [
        (3, [], [0], []),
        (3, [pod(0)], [1], []),
        (3, [pod(0, "pending")], [], []),
        (3, [pod(0), pod(2)], [1], []),
        (3, [pod(0), pod(1, "failed")], [], ["web-1"]),
        (3, [pod(0), pod(1, "leaving"), pod(2)], [], []),
        (1, [pod(0), pod(1), pod(2)], [], ["web-2"]),
        (1, [pod(0, "pending"), pod(1)], [], []),
        (1, [pod(0), pod(1), pod(2, "leaving")], [], []),
        (0, [pod(0, "pending"), pod(1, "pending"), pod(2, "pending")], [], []),
        (0, [pod(0, "pending"), pod(1), pod(2)], [], ["web-2"]),
        (0, [pod(0), pod(1), pod(2, "pending")], [], ["web-2"]),
        (0, [pod(0), pod(1, "pending"), pod(2, "pending")], [], []),
        (3, [pod(0, revision="old"), pod(1, revision="old"), pod(2, revision="old")], [], ["web-2"]),
        (3, [pod(0, revision="old"), pod(1, revision="old"), pod(2, "pending")], [], []),
        (3, [pod(0, revision="old"), pod(1, revision="old"), pod(2)], [], ["web-1"]),
        (2, [pod(0), pod(1)], [], []),
    ],
)
def test_ordered_sets_go_one_step_at_a_time(
    replicas: int, pods: list[core_v1.Pod], create: list[int], delete: list[str]
) -> None:
    step = plan_step(view_of(stateful(replicas), pods, NOW), "new")
    assert (step.create, [found.metadata.name for found in step.delete]) == (create, delete)


def test_parallel_sets_do_not_wait() -> None:
    found = stateful(4, pod_management_policy="Parallel")
    step = plan_step(view_of(found, [pod(1, "pending"), pod(2, "failed"), pod(5), pod(6)], NOW), "new")
    assert step.create == [0, 3]
    assert [one.metadata.name for one in step.delete] == ["web-2"]


def test_pods_below_the_partition_stay_at_their_revision() -> None:
    strategy = apps_v1.StatefulSetUpdateStrategy(
        type="RollingUpdate", rolling_update=apps_v1.RollingUpdateStatefulSetStrategy(partition=1)
    )
    pods = [pod(0, revision="old"), pod(1)]
    assert plan_step(view_of(stateful(2, update_strategy=strategy), pods, NOW), "new").delete == []


def test_numbers_may_begin_elsewhere() -> None:
    found = stateful(2, ordinals=apps_v1.StatefulSetOrdinals(start=5))
    step = plan_step(view_of(found, [pod(0), pod(5)], NOW), "new")
    assert step.create == [6]


def test_a_pod_has_its_name_everywhere() -> None:
    claim = core_v1.PersistentVolumeClaim(
        metadata=meta_v1.ObjectMeta(name="data"), spec=core_v1.PersistentVolumeClaimSpec(access_modes=["ReadWriteOnce"])
    )
    found = stateful(1, volume_claim_templates=[claim])
    made = pod_of(found, template(), 3, "web-5fc4b75f69")
    assert (made.metadata.name, made.spec.hostname, made.spec.subdomain) == ("web-3", "web-3", "web")
    assert made.metadata.labels == {
        "app": "web", "statefulset.kubernetes.io/pod-name": "web-3", "apps.kubernetes.io/pod-index": "3", REVISION_LABEL: "web-5fc4b75f69",
    }  # fmt: skip
    source = made.spec.volumes[0].persistent_volume_claim
    assert source is not None
    assert source.claim_name == "data-web-3"
    assert [one.metadata.name for one in claims_of(found, 3)] == ["data-web-3"]


async def test_a_set_grows_updates_and_shrinks_in_order(world_of: Callable[..., Any]) -> None:
    async with world_of("statefulset-controller,kubelet") as world:
        spec = stateful(2).spec
        meta = meta_v1.ObjectMeta(name="web", namespace=world.namespace)
        await world.client.create(apps_v1.StatefulSet(metadata=meta, spec=spec))

        def is_settled(replicas: int) -> Callable[[], Any]:
            async def check() -> bool:
                found = await world.client.get(apps_v1.StatefulSet, "web", world.namespace)
                counts = (found.status.replicas, found.status.ready_replicas, found.status.updated_replicas)
                same = found.status.current_revision == found.status.update_revision
                return (
                    counts == (replicas,) * 3 and same and found.status.observed_generation == found.metadata.generation
                )

            return check

        await world.eventually(is_settled(2))
        assert sorted(found.metadata.name or "" for found in world.running_pods()) == ["web-0", "web-1"]
        change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "b"}]}}}}
        await world.client.patch(apps_v1.StatefulSet, "web", world.namespace, change)
        await world.eventually(is_settled(2))
        assert {found.spec.containers[0].image for found in world.running_pods()} == {"b"}
        settled = await world.client.get(apps_v1.StatefulSet, "web", world.namespace)
        revisions = {found.metadata.labels[REVISION_LABEL] for found in world.running_pods()}
        assert revisions == {settled.status.update_revision}
        await world.client.patch(apps_v1.StatefulSet, "web", world.namespace, {"spec": {"replicas": 1}})
        await world.eventually(is_settled(1))
        assert [found.metadata.name for found in world.running_pods()] == ["web-0"]
        await world.wait_told("SuccessfulCreate", "create Pod web-0 in StatefulSet web successful")
        await world.wait_told("SuccessfulDelete", "delete Pod web-1 in StatefulSet web successful")


OWNED_BY_SET, OWNED_BY_POD, OWNED_BY_NOBODY = ["web"], ["web-1"], []


@pytest.mark.parametrize(
    ("deleted", "scaled", "inside", "beyond"),
    [
        ("Retain", "Retain", OWNED_BY_NOBODY, OWNED_BY_NOBODY),
        ("Delete", "Retain", OWNED_BY_SET, OWNED_BY_SET),
        ("Retain", "Delete", OWNED_BY_NOBODY, OWNED_BY_POD),
        ("Delete", "Delete", OWNED_BY_SET, OWNED_BY_POD),
    ],
)
def test_claims_belong_to_whom_they_go_with(deleted: str, scaled: str, inside: list[str], beyond: list[str]) -> None:
    policy = apps_v1.StatefulSetPersistentVolumeClaimRetentionPolicy(when_deleted=deleted, when_scaled=scaled)
    claim = core_v1.PersistentVolumeClaim(
        metadata=meta_v1.ObjectMeta(name="data-web-1"), spec=core_v1.PersistentVolumeClaimSpec()
    )
    for size, expected in ((2, inside), (1, beyond)):
        owner = stateful(size, persistent_volume_claim_retention_policy=policy)
        found = retention.owners(owner, pod(1), claim)
        assert [one.name for one in found] == expected
        # What a claim was given before is taken back when the policy or the size changes.
        held = msgspec.structs.replace(claim, metadata=meta_v1.ObjectMeta(name="data-web-1", owner_references=found))
        assert [one.name for one in retention.owners(stateful(2), pod(1), held)] == []


def test_a_claim_that_somebody_else_controls_is_left_to_them() -> None:
    policy = apps_v1.StatefulSetPersistentVolumeClaimRetentionPolicy(when_deleted="Delete", when_scaled="Delete")
    other = meta_v1.OwnerReference(api_version="v1", kind="Thing", name="t", uid="t", controller=True)
    claim = core_v1.PersistentVolumeClaim(
        metadata=meta_v1.ObjectMeta(owner_references=[other]), spec=core_v1.PersistentVolumeClaimSpec()
    )
    owner = stateful(2, persistent_volume_claim_retention_policy=policy)
    assert retention.owners(owner, pod(1), claim) == [other]


@pytest.mark.parametrize(("strategy", "expected"), [("RollingUpdate", "new"), ("OnDelete", "old")])
def test_only_an_update_of_the_controllers_own_makes_a_revision_the_current_one(strategy: str, expected: str) -> None:
    found = stateful(1, update_strategy=apps_v1.StatefulSetUpdateStrategy(type=strategy))
    old, new = (
        apps_v1.ControllerRevision(metadata=meta_v1.ObjectMeta(name=name), revision=1) for name in ("old", "new")
    )
    pods = [pod(0)]
    assert status_of(view_of(found, pods, NOW), pods, old, new).current_revision == expected


async def test_a_pod_that_failed_is_made_anew_and_told(world_of: Callable[..., Any]) -> None:
    async with world_of("statefulset-controller,kubelet") as world:
        meta = meta_v1.ObjectMeta(name="web", namespace=world.namespace)
        await world.client.create(msgspec.structs.replace(stateful(1), metadata=meta))
        await world.eventually(world.started_pods)
        (first,) = world.started_pods()
        await world.set_pod(first, ready=False, phase="Failed")
        await world.eventually(lambda: [one for one in world.running_pods() if one.metadata.uid != first.metadata.uid])
        words = f"StatefulSet {world.namespace}/web is recreating failed Pod web-0"
        await world.wait_told("RecreatingFailedPod", words)


async def test_claims_go_with_the_pods_that_are_scaled_away(world_of: Callable[..., Any]) -> None:
    controllers = (
        "statefulset-controller,garbage-collector-controller,persistentvolumeclaim-protection-controller,kubelet"
    )
    async with world_of(controllers) as world:
        policy = apps_v1.StatefulSetPersistentVolumeClaimRetentionPolicy(when_deleted="Retain", when_scaled="Delete")
        claim = core_v1.PersistentVolumeClaim(
            metadata=meta_v1.ObjectMeta(name="data"),
            spec=core_v1.PersistentVolumeClaimSpec(
                access_modes=["ReadWriteOnce"],
                resources=core_v1.VolumeResourceRequirements(requests={"storage": "1Gi"}),
            ),
        )
        made = stateful(2, persistent_volume_claim_retention_policy=policy, volume_claim_templates=[claim])
        meta = meta_v1.ObjectMeta(name="web", namespace=world.namespace)
        await world.client.create(msgspec.structs.replace(made, metadata=meta))

        async def claims() -> list[str]:
            found = (await world.client.list(core_v1.PersistentVolumeClaim, world.namespace)).items
            return sorted(one.metadata.name or "" for one in found)

        async def are(*names: str) -> bool:
            return await claims() == list(names)

        await world.eventually(lambda: len(world.running_pods()) == 2)
        await world.eventually(lambda: are("data-web-0", "data-web-1"))
        patch = {"spec": {"replicas": 1}}
        await world.client.patch(apps_v1.StatefulSet, "web", world.namespace, patch)
        await world.eventually(lambda: are("data-web-0"))
        await world.client.delete(apps_v1.StatefulSet, "web", world.namespace, propagation_policy="Background")
        await world.eventually(lambda: not world.pods.list())
        assert await claims() == ["data-web-0"]

"""DaemonSets: which nodes, which pods, and updates, as tables; then on a real API server."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers.daemonset import controller, plan
from pybernetes.controllers.history import REVISION_LABEL

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = {"app": "d"}


def daemons(*, surge: int | None = None, unavailable: int | None = None, **pod: Any) -> apps_v1.DaemonSet:
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")], **pod)
    template = core_v1.PodTemplateSpec(metadata=meta_v1.ObjectMeta(labels=LABELS), spec=spec)
    rolling = apps_v1.RollingUpdateDaemonSet(max_surge=surge, max_unavailable=unavailable)
    strategy = apps_v1.DaemonSetUpdateStrategy(type="RollingUpdate", rolling_update=rolling)
    made = apps_v1.DaemonSetSpec(
        selector=meta_v1.LabelSelector(match_labels=LABELS), template=template, update_strategy=strategy
    )
    return apps_v1.DaemonSet(metadata=meta_v1.ObjectMeta(name="d", namespace="n", uid="u"), spec=made)


def node(name: str, *taints: str, **labels: str) -> core_v1.Node:
    made = [core_v1.Taint(key=key, effect=effect) for key, _, effect in (text.partition(":") for text in taints)]
    return core_v1.Node(metadata=meta_v1.ObjectMeta(name=name, labels=labels), spec=core_v1.NodeSpec(taints=made))


def pod(name: str, on: str, state: str = "ready", revision: str = "new") -> core_v1.Pod:
    condition = core_v1.PodCondition(type="Ready", status=str(state == "ready"))
    meta = meta_v1.ObjectMeta(
        name=name, labels={REVISION_LABEL: revision}, deletion_timestamp="2026-01-01T00:00:00Z" if state == "leaving" else None
    )  # fmt: skip
    phase = {"failed": "Failed", "succeeded": "Succeeded"}.get(state, "Running")
    status = core_v1.PodStatus(phase=phase, conditions=[condition])
    return core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[], node_name=on), status=status)


@pytest.mark.parametrize(
    ("spec", "found", "expected"),
    [
        ({}, node("n"), (True, True)),
        ({}, node("n", "k:NoSchedule"), (False, True)),
        ({}, node("n", "k:NoExecute"), (False, False)),
        ({}, node("n", "node.kubernetes.io/unschedulable:NoSchedule"), (True, True)),
        ({}, node("n", "node.kubernetes.io/not-ready:NoExecute"), (True, True)),
        ({}, node("n", "node.kubernetes.io/network-unavailable:NoSchedule"), (False, True)),
        ({"host_network": True}, node("n", "node.kubernetes.io/network-unavailable:NoSchedule"), (True, True)),
        ({"node_selector": {"disk": "ssd"}}, node("n"), (False, False)),
        ({"node_selector": {"disk": "ssd"}}, node("n", disk="ssd"), (True, True)),
    ],
)
def test_which_nodes_run_a_daemon(spec: dict[str, Any], found: core_v1.Node, expected: tuple[bool, bool]) -> None:
    assert plan.should_run(daemons(**spec), found) == expected


def test_each_node_gets_one_pod_and_keeps_one() -> None:
    nodes = [node("a"), node("b"), node("c", "k:NoExecute"), node("d"), node("e"), node("f")]
    pods = [
        pod("b1", "b"), pod("b2", "b", "pending"), pod("c1", "c"), pod("d1", "d", "failed"), pod("e1", "e", "leaving"),
        pod("f1", "f", "succeeded"),
    ]  # fmt: skip
    step = plan.plan_presence(daemons(), nodes, plan.by_node(pods))
    assert step.create == ["a"]
    assert [found.metadata.name for found in step.delete] == ["b2", "c1", "f1"]
    assert [found.metadata.name for found in step.failed] == ["d1"]


def test_an_update_keeps_within_max_unavailable() -> None:
    nodes = [node(name) for name in "abc"]
    pods = [pod(f"{name}1", name, revision="old") for name in "abc"]
    step = plan.plan_update(daemons(unavailable=2), nodes, plan.by_node(pods), "new", NOW)
    assert [found.metadata.name for found in step.delete] == ["a1", "b1"]
    waiting = [pod("a2", "a", "pending"), *pods[1:]]
    step = plan.plan_update(daemons(unavailable=1), nodes, plan.by_node(waiting), "new", NOW)
    assert step.delete == []


def test_a_surging_update_makes_the_new_pod_first() -> None:
    nodes, old = [node("a"), node("b")], [pod("a1", "a", revision="old"), pod("b1", "b", revision="old")]
    found = daemons(surge=1, unavailable=0)
    assert plan.plan_update(found, nodes, plan.by_node(old), "new", NOW).create == ["a"]
    both = [*old, pod("a2", "a")]
    step = plan.plan_update(found, nodes, plan.by_node(both), "new", NOW)
    assert [one.metadata.name for one in step.delete] == ["a1"]
    assert plan.plan_presence(found, nodes, plan.by_node(both)).delete == []


def test_no_more_nodes_surge_at_a_time_than_allowed() -> None:
    nodes = [node("a"), node("b"), node("c")]
    old = [pod(f"{name}1", name, revision="old") for name in "abc"]
    waiting = [*old, pod("b2", "b", "pending")]
    assert plan.plan_update(daemons(surge=1), nodes, plan.by_node(waiting), "new", NOW).create == []
    assert plan.plan_update(daemons(surge=2), nodes, plan.by_node(waiting), "new", NOW).create == ["a"]
    # Where the old pod is of no use, a new one takes nobody's turn.
    broken = [*old[:2], pod("c1", "c", "pending", revision="old"), pod("b2", "b", "pending")]
    assert plan.plan_update(daemons(surge=1), nodes, plan.by_node(broken), "new", NOW).create == ["c"]


def test_a_pod_that_waits_for_a_node_that_is_gone_goes() -> None:
    waiting = core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name="w"), spec=plan.daemon_spec(core_v1.PodSpec(containers=[]), "gone")
    )
    pods = plan.by_node([pod("a1", "a"), pod("b1", "lost"), waiting])
    assert plan.plan_presence(daemons(), [node("a")], pods).delete == [waiting]


def test_a_pod_is_bound_by_its_affinity() -> None:
    made = plan.daemon_spec(core_v1.PodSpec(containers=[]), "n1")
    assert plan.node_of(core_v1.Pod(spec=made)) == "n1"


async def test_a_daemon_follows_the_nodes(world_of: Callable[..., Any]) -> None:
    async with world_of("daemonset-controller,kubelet") as world:
        names = [f"{world.namespace}-{letter}" for letter in "ab"]
        chosen = {"test": world.namespace}
        for name in names:
            await world.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name=name, labels=chosen)))
            # What admission taints a new node with goes when its kubelet reports.
            await world.client.patch(core_v1.Node, name, "", {"spec": {"taints": None}})
        meta = meta_v1.ObjectMeta(name="d", namespace=world.namespace)
        await world.client.create(apps_v1.DaemonSet(metadata=meta, spec=daemons(node_selector=chosen).spec))

        def is_settled(count: int, image: str) -> Callable[[], Any]:
            async def check() -> bool:
                found = await world.client.get(apps_v1.DaemonSet, "d", world.namespace)
                status = found.status
                counts = (status.desired_number_scheduled, status.number_available, status.updated_number_scheduled)
                images = {one.spec.containers[0].image for one in world.running_pods()}
                return counts == (count,) * 3 and images == {image}

            return check

        await world.eventually(is_settled(2, "i"))
        assert {plan.node_of(found) for found in world.running_pods()} == set(names)
        change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "j"}]}}}}
        await world.client.patch(apps_v1.DaemonSet, "d", world.namespace, change)
        await world.eventually(is_settled(2, "j"))
        await world.client.patch(core_v1.Node, names[0], "", {"metadata": {"labels": {"test": None}}})
        await world.eventually(is_settled(1, "j"))
        for name in names:
            await world.client.delete(core_v1.Node, name)


async def test_a_daemon_that_keeps_failing_holds_up_no_update_elsewhere(
    world_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller, "FIRST_RETRY_SECONDS", 600.0)
    async with world_of("daemonset-controller,kubelet") as world:
        names = [f"{world.namespace}-{letter}" for letter in "ab"]
        chosen = {"test": world.namespace}
        for name in names:
            await world.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name=name, labels=chosen)))
            await world.client.patch(core_v1.Node, name, "", {"spec": {"taints": None}})
        meta = meta_v1.ObjectMeta(name="d", namespace=world.namespace)
        spec = daemons(node_selector=chosen, unavailable=2).spec
        await world.client.create(apps_v1.DaemonSet(metadata=meta, spec=spec))

        def on(name: str) -> list[core_v1.Pod]:
            return [one for one in world.started_pods() if plan.node_of(one) == name]

        async def change(image: str) -> None:
            patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
            await world.client.patch(apps_v1.DaemonSet, "d", world.namespace, patch)
            await world.eventually(lambda: [one.spec.containers[0].image for one in on(names[1])] == [image])

        # The first one that fails is made anew at once; the second one stays until its pause is over.
        for _ in range(2):
            await world.eventually(lambda: on(names[0]))
            await world.set_pod(on(names[0])[0], ready=False, phase="Failed")
            await world.eventually(lambda: not on(names[0]))
        await change("j")
        # What fails is replaced as well: the update may be what heals it.
        await world.eventually(lambda: [one.spec.containers[0].image for one in on(names[0])] == ["j"])
        for name in names:
            await world.client.delete(core_v1.Node, name)

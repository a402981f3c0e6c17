"""Who has to go for whom, and what room is kept for whom meanwhile."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from pybernetes.aio.clock import FakeClock
from pybernetes.api.errors import StatusError, conflict, forbidden
from pybernetes.api.types import policy_v1 as policy
from pybernetes.scheduler.bind import Binder
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.preemption import Refused, Victims, choose

from .world import World, node, pod


def test_preemption_takes_the_least_important_pods() -> None:
    world = World(node("a", cpu="2"), node("b", cpu="2"), node("c", cpu="1"))
    for name, priority in (("low-a", 1), ("mid-b", 5)):
        info = pod(name, cpu="2", priority=priority)
        world.snapshot.place(info, name[-1])
    urgent = pod("urgent", cpu="1500m", priority=10)
    chosen = choose(urgent, world.snapshot, world.unplaced(urgent).rejections)
    assert isinstance(chosen, Victims)
    assert (chosen.node, [victim.key for victim in chosen.pods]) == ("a", ["default/low-a"])
    modest = pod("modest", cpu="1500m", priority=1)
    assert choose(modest, world.snapshot, world.unplaced(modest).rejections) == Refused(
        "preemption: 0/3 nodes are available: "
        "1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod."
    )


def test_preemption_spares_who_need_not_go() -> None:
    world = World(node("a", cpu="3"))
    for name, priority in (("one", 3), ("two", 2), ("three", 1)):
        world.snapshot.place(pod(name, cpu="1", priority=priority), "a")
    urgent = pod("urgent", cpu="2", priority=10)
    chosen = choose(urgent, world.snapshot, world.unplaced(urgent).rejections)
    assert isinstance(chosen, Victims)
    assert [victim.key for victim in chosen.pods] == ["default/three", "default/two"]


def preempt(world: World, info: PodInfo, *budgets: policy.PodDisruptionBudget) -> tuple[str, list[str]] | str:
    """The node and the names of those who have to go there, or why nobody has."""
    found = choose(info, world.snapshot, world.unplaced(info).rejections, budgets)
    if isinstance(found, Refused):
        return found.message
    return found.node, [str(victim.pod.metadata.name) for victim in found.pods]


def budget(allowed: int, **labels: str) -> policy.PodDisruptionBudget:
    return msgspec.convert(
        {
            "metadata": {"name": "b", "namespace": "default"},
            "spec": {"selector": {"matchLabels": labels}},
            "status": {"disruptionsAllowed": allowed},
        },
        policy.PodDisruptionBudget,
    )


def spread(**spec: Any) -> dict[str, Any]:
    constraint = {
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }  # fmt: skip
    return {"labels": {"app": "web"}, "topologySpreadConstraints": [constraint], **spec}


def test_what_looks_at_all_nodes_is_asked_about_victims_too() -> None:
    world = World(node("a", cpu="10"), node("b", cpu="10"))
    world.snapshot.place(pod("high", cpu="9", priority=1000, labels={"app": "web"}), "a")
    for name in ("low-1", "low-2", "low-3"):
        world.snapshot.place(pod(name, cpu="3", priority=1, labels={"app": "web"}), "b")
    node_of_victims, victims = preempt(world, pod("medium", cpu="3", priority=100, **spread()))
    assert (node_of_victims, len(victims)) == ("b", 2)
    for name in victims:
        world.snapshot.remove(name)
    assert world.place(pod("medium", cpu="3", priority=100, **spread())) == "b"


def test_pods_that_keep_others_away_can_be_made_to_go() -> None:
    world = World(node("a"))
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}
    lonely = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    world.snapshot.place(pod("lonely", priority=1, affinity=lonely), "a")
    world.snapshot.place(pod("other", priority=1), "a")
    assert preempt(world, pod("web", priority=5, labels={"app": "web"})) == ("a", ["lonely"])


def test_victims_whom_a_budget_keeps_are_the_last_choice() -> None:
    world = World(node("a", cpu="2"), node("b", cpu="2"))
    world.snapshot.place(pod("kept", cpu="2", priority=1, labels={"app": "kept"}), "a")
    world.snapshot.place(pod("better", cpu="2", priority=2), "b")
    urgent = pod("urgent", cpu="1", priority=10)
    assert preempt(world, urgent) == ("a", ["kept"])
    assert preempt(world, urgent, budget(1, app="kept")) == ("a", ["kept"])
    assert preempt(world, urgent, budget(0, app="kept")) == ("b", ["better"])
    assert preempt(world, urgent, budget(0)) == ("a", ["kept"])


def test_of_one_node_those_go_whom_no_budget_keeps() -> None:
    world = World(node("a", cpu="2"))
    world.snapshot.place(pod("kept", cpu="1", priority=1, labels={"app": "kept"}), "a")
    world.snapshot.place(pod("better", cpu="1", priority=2), "a")
    assert preempt(world, pod("urgent", cpu="1", priority=10), budget(0, app="kept")) == ("a", ["better"])


def test_room_that_is_made_for_a_pod_is_no_less_important_ones() -> None:
    world = World(node("a", cpu="2"))
    world.snapshot.promise(pod("urgent", cpu="2", priority=10), "a")
    assert world.place(pod("late", cpu="1", priority=5)) == "0/1 nodes are available: 1 Insufficient cpu."
    assert world.place(pod("first", cpu="1", priority=20)) == "a"
    world.snapshot.take_back("urgent")
    assert world.place(pod("late", cpu="1", priority=5)) == "a"


def test_a_placed_pod_needs_no_promise() -> None:
    world = World(node("a", cpu="2"))
    urgent = pod("urgent", cpu="1", priority=10)
    world.snapshot.promise(urgent, "a")
    assert world.place(urgent) == "a"
    world.snapshot.promise(urgent, "a")
    assert world.place(pod("late", cpu="1")) == "a"


def test_a_pod_goes_where_room_was_made_for_it() -> None:
    world = World(node("a"), node("b"), node("c"))
    for name in "abc":
        assert world.place(pod(f"on-{name}", status={"nominatedNodeName": name})) == name


def test_nobody_else_has_to_go_while_victims_are_going() -> None:
    world = World(node("a", cpu="2"))
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    world.snapshot.place(pod("leaving", cpu="2", priority=1, leaves=True, status={"conditions": [condition]}), "a")
    assert preempt(world, pod("urgent", cpu="2", priority=10)) == ("a", ["leaving"])
    assert preempt(world, pod("urgent", cpu="2", priority=10, status={"nominatedNodeName": "a"})) == (
        "preemption: not eligible due to a terminating pod on the nominated node."
    )


async def test_a_victim_that_cannot_be_deleted_keeps_no_other() -> None:
    class Server:
        """Refuses to delete one pod; another is not the one that was meant any more."""

        def __init__(self) -> None:
            self.deleted: list[str] = []

        async def patch(self, *args: Any, **kwargs: Any) -> None:
            return None

        async def delete(self, kind: Any, name: str, namespace: str, uid: str) -> None:
            if name == "stubborn":
                raise forbidden("", "pods", name, "not this one")
            if name == "replaced":
                raise conflict("", "pods", name)
            self.deleted.append(name)

    server, told = Server(), SimpleNamespace(event=lambda *args, **kwargs: None)
    binder = Binder(cast(Any, server), cast(Any, told), FakeClock())
    victims = Victims("a", (pod("stubborn"), pod("replaced"), pod("last")))
    with pytest.raises(StatusError, match="not this one"):
        await binder.preempt(pod("important", priority=9), victims)
    assert server.deleted == ["last"]

"""What pods wish of one another, on both sides; and how little of a large cluster a decision looks at."""

import random
from typing import Any

import pytest

from pybernetes.scheduler.cycle import decide
from pybernetes.scheduler.pod import PodInfo
from pybernetes.scheduler.ranking import MANY_VOID, Rankings
from pybernetes.scheduler.terms import Term

from .world import World, node, pod

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"


def term(key: str = HOST, **labels: str) -> dict[str, Any]:
    return {"labelSelector": {"matchLabels": labels}, "topologyKey": key}


def wish(found: dict[str, Any], weight: int = 100) -> dict[str, Any]:
    return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": weight, "podAffinityTerm": found}]}


def rule(found: dict[str, Any]) -> dict[str, Any]:
    return {"requiredDuringSchedulingIgnoredDuringExecution": [found]}


def three_nodes() -> World:
    return World(*(node(name, labels={ZONE: name}) for name in "abc"))


NEAR_WEB, NEAR_WEB_RULE = {"podAffinity": wish(term(app="web"))}, {"podAffinity": rule(term(app="web"))}
APART_FROM_WEB = {"podAntiAffinity": wish(term(app="web"))}


@pytest.mark.parametrize("affinity", [NEAR_WEB, NEAR_WEB_RULE], ids=["wish", "rule"])
def test_a_pod_goes_where_others_want_it(affinity: dict[str, Any]) -> None:
    world = three_nodes()
    # Without the wish, the fullest node would be the last to be chosen.
    for name in ("cache", "more", "and-more"):
        world.snapshot.place(pod(name, cpu="500m", affinity=affinity), "b")
    assert world.place(pod("web", labels={"app": "web"})) == "b"
    assert world.place(pod("other", labels={"app": "other"})) != "b"
    assert world.place(pod("elsewhere", labels={"app": "web"}, namespace="elsewhere")) != "b"


def test_a_pod_stays_away_from_those_that_would_rather_not_have_it() -> None:
    world = three_nodes()
    for name in "ab":
        world.snapshot.place(pod(f"shy-{name}", affinity=APART_FROM_WEB), name)
    world.snapshot.place(pod("heavy", cpu="3"), "c")
    assert world.place(pod("web", labels={"app": "web"})) == "c"
    assert world.place(pod("other", labels={"app": "other"})) != "c"


def test_wishes_count_by_pods_and_weights() -> None:
    world = three_nodes()
    for number, where in enumerate("aab"):
        world.snapshot.place(pod(f"friend-{number}", labels={"app": "db"}), where)
    assert world.place(pod("near", affinity={"podAffinity": wish(term(app="db"))})) == "a"
    # Two that would rather be alone weigh less than one that calls louder.
    for number in range(2):
        world.snapshot.place(pod(f"shy-{number}", affinity={"podAntiAffinity": wish(term(app="web"), 10)}), "b")
    world.snapshot.place(pod("caller", affinity={"podAffinity": wish(term(app="web"), 50)}), "b")
    assert world.place(pod("web", labels={"app": "web"})) == "b"


def test_wishes_follow_pods_nodes_and_namespaces() -> None:
    world = three_nodes()
    shops = {**term(ZONE, app="web"), "namespaceSelector": {"matchLabels": {"team": "shops"}}}
    world.snapshot.place(pod("cache", affinity={"podAffinity": wish(shops)}), "a")
    world.snapshot.place(pod("heavy", cpu="3"), "a")

    def where(name: str) -> str:
        chosen = world.place(pod(name, labels={"app": "web"}))
        world.snapshot.remove(name)
        return chosen

    assert where("before") != "a"
    world.snapshot.set_namespace("default", {"team": "shops"})
    assert where("named") == "a"
    world.snapshot.set_node(node("a", labels={ZONE: "z"}))
    world.snapshot.set_node(node("b", labels={ZONE: "z"}))
    assert where("moved") == "b", "of the zone that is meant now, the emptier node"
    world.snapshot.remove("cache")
    assert where("alone") in "bc"
    assert world.snapshot.stated_about(pod("web", labels={"app": "web"})) == ()


def test_a_decision_looks_only_at_what_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(*(node(f"n{number}") for number in range(200)))
    for number in range(400):
        world.snapshot.place(pod(f"p{number}", labels={"app": "web"}), f"n{number % 200}")
    asked = 0
    selects = Term.selects

    def counting(self: Term, *args: Any) -> bool:
        nonlocal asked
        asked += 1
        return selects(self, *args)

    monkeypatch.setattr(Term, "selects", counting)
    apart = {"podAntiAffinity": rule(term(app="new")) | wish(term(app="web"))}
    world.place(pod("first", labels={"app": "new"}, owner="o", affinity=apart))
    assert asked >= 800, "each pod once for each term"
    asked = 0
    places = {
        world.place(pod(f"next-{number}", labels={"app": "new"}, owner="o", affinity=apart)) for number in range(10)
    }
    assert len(places) == 10
    assert asked < 200


def test_a_ranking_gives_the_best_first_and_keeps_no_rubbish() -> None:
    world = World(*(node(f"n{number}") for number in range(20)))
    newcomer = pod("new", cpu="1")
    rankings = Rankings(random.Random(0))
    for number in range(1000):
        where = f"n{number % 20}"
        world.snapshot.place(pod("visitor", cpu=f"{1 + number % 3}"), where)
        decide(newcomer, world.snapshot, rankings)
        world.snapshot.remove("visitor")
    for number in range(20):
        world.snapshot.place(pod(f"p{number}", cpu=f"{number * 100}m"), f"n{number}")
    ranking = rankings.of(newcomer, world.snapshot)
    scores = [score for _, score in ranking.in_order()]
    assert len(scores) == 20
    assert scores == sorted(scores, reverse=True)
    assert len(ranking) <= MANY_VOID + 2 * 20


def test_spreading_counts_anew_what_begins_to_leave() -> None:
    world = three_nodes()
    apart = {
        "maxSkew": 1, "topologyKey": HOST, "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }  # fmt: skip

    def web(name: str, **more: Any) -> PodInfo:
        return pod(name, labels={"app": "web"}, topologySpreadConstraints=[apart], **more)

    assert {world.place(web(name)) for name in ("one", "two", "three")} == {"a", "b", "c"}
    (where,) = (name for name in "abc" if "one" in world.snapshot.nodes[name].pods)
    world.snapshot.place(web("one", leaves=True), where)
    assert world.place(web("four")) == where


def test_a_constraint_without_a_selector_is_about_no_pod() -> None:
    world = three_nodes()
    for selector in ({"labelSelector": {}}, {}):
        constraint = {"maxSkew": 1, "topologyKey": HOST, "whenUnsatisfiable": "DoNotSchedule", **selector}
        first, second = (pod(f"{name}-{len(selector)}", topologySpreadConstraints=[constraint]) for name in "xy")
        world.snapshot.place(first, "a")
        world.snapshot.set_node(node("b", labels={ZONE: "b"}, unschedulable=True))
        world.snapshot.set_node(node("c", labels={ZONE: "c"}, unschedulable=True))
        assert (world.place(second) == "a") is (not selector)
        world.snapshot.remove(first.uid)

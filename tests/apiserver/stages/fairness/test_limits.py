"""How seats are shared, hands dealt, and refusals told: decisions without a server."""

from pybernetes.apiserver.bootstrap.facts import bootstrap_objects
from pybernetes.apiserver.bootstrap.flow_control import mend
from pybernetes.apiserver.stages.fairness.demand import Meter
from pybernetes.apiserver.stages.fairness.limits import Claim, Demand, Limits, Shape, divide, limits_of
from pybernetes.apiserver.stages.fairness.retry import RetryAfter
from pybernetes.apiserver.stages.fairness.shuffle import deal


def test_the_bootstrap_levels_share_600_seats_as_upstreams_do() -> None:
    objects = bootstrap_objects()["prioritylevelconfigurations"]
    limits = limits_of({obj["metadata"]["name"]: Shape.of(obj["spec"]) for obj in objects}, 600)
    assert {name: (one.nominal, one.lower, one.upper) for name, one in limits.items()} == {
        "catch-all": (13, 13, 600),
        "exempt": (0, 0, 600),
        "global-default": (49, 25, 600),
        "leader-election": (25, 25, 600),
        "node-high": (98, 74, 600),
        "system": (74, 50, 600),
        "workload-high": (98, 49, 600),
        "workload-low": (245, 25, 600),
    }
    assert [limits[name].widest for name in ("workload-low", "leader-election")] == [10, 4]


def test_seats_go_where_they_are_wanted_within_the_bounds() -> None:
    idle = Claim.of(Limits(50, 10, 100, 1), Demand(0, 0, 0), 0, exempt=False)
    busy = Claim.of(Limits(50, 25, 80, 1), Demand(200, 150, 50), 200, exempt=False)
    given, _ = divide({"idle": idle, "busy": busy}, 100)
    assert given == {"idle": 20, "busy": 80}  # not more than it may borrow
    equal = Claim.of(Limits(50, 25, 100, 1), Demand(90, 90, 0), 90, exempt=False)
    given, fraction = divide({"a": equal, "b": equal}, 100)
    assert given == {"a": 50, "b": 50}
    assert fraction < 1
    exempt = Claim.of(Limits(20, 5, 20, 1), Demand(3, 1, 1), 2, exempt=True)
    given, _ = divide({"exempt": exempt, "a": equal, "b": equal}, 105)
    assert given == {"exempt": 5, "a": 50, "b": 50}


def test_demand_is_measured_over_time() -> None:
    now = 0.0
    meter = Meter(lambda: now, 2)
    now = 10.0
    meter.set(6)
    now = 20.0
    assert meter.take() == Demand(high=6, mean=4.0, deviation=2.0)
    assert meter.take().high == 6
    assert Demand(6, 4.0, 2.0).smoothed(100.0) > 90


def test_a_flow_has_always_the_same_hand_of_different_queues() -> None:
    assert deal("a/bob", 64, 8) == deal("a/bob", 64, 8)
    assert len(set(deal("a/bob", 64, 8))) == 8
    assert sorted(deal("x", 3, 3)) == [0, 1, 2]
    assert len({tuple(deal(f"flow/{number}", 64, 8)) for number in range(200)}) == 200
    assert {card for number in range(200) for card in deal(f"flow/{number}", 16, 2)} == set(range(16))


def test_the_more_are_refused_the_longer_they_are_told_to_wait() -> None:
    now = 0.0
    retry = RetryAfter(lambda: now)
    told = []
    for second in range(20):
        now = float(second)
        told.append(max(retry.refuse() for _ in range(200)))
    assert told[:5] == [1, 2, 2, 4, 4]
    assert max(told) <= 32
    for second in range(100, 200, 2):
        now = float(second)
        retry.refuse()
    assert retry.seconds == 1


def test_who_may_change_a_bootstrap_object() -> None:
    annotation = "apf.kubernetes.io/autoupdate-spec"

    def made(name: str, generation: int, **annotations: str) -> dict[str, object]:
        metadata = {"name": name, "generation": generation, "annotations": annotations}
        return {"metadata": metadata, "spec": {"type": "Limited", "limited": {"x": 1}}}

    wanted = {"metadata": {"name": ""}, "spec": {"type": "Limited", "limited": {"x": 2}}}
    on, off = {annotation: "true"}, {annotation: "false"}
    assert mend(made("system", 5, **off), wanted) is None
    assert mend(made("system", 5, **on), wanted) == made("system", 5, **on) | {"spec": wanted["spec"]}
    assert mend(made("system", 1), wanted) == made("system", 1, **on) | {"spec": wanted["spec"]}
    assert mend(made("system", 2), wanted) == made("system", 2, **off)
    assert mend(made("catch-all", 9, **off), wanted) == made("catch-all", 9, **on) | {"spec": wanted["spec"]}
    lending = {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 9, "lendablePercent": 50}}
    exempt = made("exempt", 2, **on) | {"spec": lending}
    assert mend(exempt, {"metadata": {}, "spec": {"type": "Exempt", "exempt": {"lendablePercent": 0}}}) is None

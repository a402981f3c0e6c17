"""How many replicas metrics ask for, and how fast that may change, as tables."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from pybernetes.api.time import format_time
from pybernetes.api.types import autoscaling_v2 as v2
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.hpa.limits import (
    Bounds,
    Change,
    History,
    Recommendation,
    highest_allowed,
    limit,
    lowest_allowed,
    stabilize,
)
from pybernetes.controllers.hpa.metrics import reading_of, window_seconds
from pybernetes.controllers.hpa.replicas import (
    MetricError,
    Reading,
    Situation,
    by_average,
    by_utilization,
    requests_of,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pod(name: str, *, request: str | None = "200m", ready: bool = True, phase: str = "Running", age: int = 3600) -> core_v1.Pod:  # fmt: skip
    since = format_time(NOW - timedelta(seconds=age))
    condition = core_v1.PodCondition(type="Ready", status=str(ready), last_transition_time=since)
    resources = core_v1.ResourceRequirements(requests={"cpu": request} if request else {})
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name),
        spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", resources=resources)]),
        status=core_v1.PodStatus(phase=phase, start_time=since, conditions=[condition]),
    )


def situation(usages: list[int | None], *, current: int = 0, pods: list[core_v1.Pod] | None = None) -> Situation:
    """Pods p0, p1, ...; None for one without metrics."""
    listed = pods or [pod(f"p{number}") for number in range(len(usages))]
    readings = {f"p{n}": Reading(used, NOW, 15.0) for n, used in enumerate(usages) if used is not None}
    return Situation(current or len(listed), listed, readings, "cpu", NOW)


@pytest.mark.parametrize(
    ("usages", "expected"),
    [
        ([100], 1),
        ([0], 0),
        ([320], 4),
        ([109], 1),
        ([112], 2),
        ([40, 40, 40, 40], 2),
        ([200, None], 2),
        ([400, None], 4),
        ([10, None], 2),
        ([10, None, None], 3),
    ],
    ids=[
        "exact", "idle", "160 % of 50", "within tolerance", "beyond it", "down", "missing keep it", "missing count as idle",
        "missing count as full", "one of three",
    ],
)  # fmt: skip
def test_utilization(usages: list[int | None], expected: int) -> None:
    assert by_utilization(situation(usages), 50).replicas == expected


def test_what_the_status_tells() -> None:
    found = by_utilization(situation([320, 100]), 50)
    assert (found.utilization, found.average) == (105, 210)


def test_a_starting_pod_is_taken_as_idle() -> None:
    pods = [pod("p0"), pod("p1", ready=False, age=10)]
    assert by_utilization(situation([200, 900], pods=pods), 50).replicas == 2
    young = [pod("p0", age=10)]
    with pytest.raises(MetricError, match=r"^did not receive metrics for targeted pods \(pods might be unready\)$"):
        by_utilization(situation([900], pods=young), 50)


@pytest.mark.parametrize(("usages", "expected"), [([100, 100], 2), ([300, 300], 6), ([50, 50], 1)])
def test_average(usages: list[int | None], expected: int) -> None:
    assert by_average(situation(usages), 100).replicas == expected


def test_requests_are_needed() -> None:
    with pytest.raises(MetricError, match=r"^missing request for cpu in container c of Pod p0$"):
        by_utilization(situation([1], pods=[pod("p0", request=None)]), 50)
    with pytest.raises(MetricError, match=r"^no pods returned by selector"):
        by_average(Situation(1, [], {}, "cpu", NOW), 5)


@pytest.mark.parametrize(
    ("desired", "current", "expected"),
    [
        (3, 2, (3, "DesiredWithinRange")),
        (0, 2, (1, "TooFewReplicas")),
        (20, 8, (10, "TooManyReplicas")),
        (9, 3, (6, "ScaleUpLimit")),
        (9, 1, (4, "ScaleUpLimit")),
    ],
)
def test_bounds(desired: int, current: int, expected: tuple[int, str]) -> None:
    assert limit(desired, Bounds(1, 10, current))[:2] == expected


@pytest.mark.parametrize(
    ("desired", "windows", "expected"),
    [
        (2, (0, 300), (8, "ScaleDownStabilized")),
        (2, (0, 50), (5, "ScaleDownStabilized")),
        (2, (0, 0), (2, "ReadyForNewScale")),
        (9, (300, 300), (5, "ScaleUpStabilized")),
        (9, (0, 300), (9, "ReadyForNewScale")),
    ],
)
def test_stabilisation(desired: int, windows: tuple[float, float], expected: tuple[int, str]) -> None:
    history = History([Recommendation(900.0, 8), Recommendation(960.0, 5)])
    assert stabilize(history, 1000.0, desired, 8 if desired < 8 else 5, windows)[:2] == expected
    assert history.recommendations[-1] == Recommendation(1000.0, desired)


def of_whole_pod(requests: dict[str, str], in_container: str | None) -> core_v1.Pod:
    made = pod("p0", request=in_container)
    resources = core_v1.ResourceRequirements(requests=dict(requests))
    return msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, resources=resources))


@pytest.mark.parametrize(
    ("found", "container", "expected"),
    [
        (of_whole_pod({"cpu": "500m"}, None), "", 500),
        (of_whole_pod({"cpu": "500m"}, "200m"), "", 500),
        (of_whole_pod({"cpu": "500m"}, "200m"), "c", 200),
        (of_whole_pod({"memory": "1Gi"}, "200m"), "", 200),
        (of_whole_pod({"memory": "1Gi"}, None), "", "missing pod-level request for cpu in Pod p0"),
        (pod("p0"), "other", "container other not found in Pod p0"),
    ],
)
def test_requests_of_a_pod_as_a_whole(found: core_v1.Pod, container: str, expected: int | str) -> None:
    if isinstance(expected, int):
        assert requests_of([found], "cpu", container) == {"p0": expected}
        return
    with pytest.raises(MetricError, match=f"^{expected}$"):
        requests_of([found], "cpu", container)


PODS = v2.HPAScalingPolicy(type="Pods", value=4, period_seconds=60)
PERCENT = v2.HPAScalingPolicy(type="Percent", value=50, period_seconds=60)


@pytest.mark.parametrize(
    ("policy", "up", "down"),
    [("Max", 15, 5), ("Min", 14, 6), ("Disabled", 10, 10)],
)
def test_policies(policy: str, up: int, down: int) -> None:
    rules = v2.HPAScalingRules(policies=[PODS, PERCENT], select_policy=policy)
    assert highest_allowed(rules, History(), 100.0, 10) == up
    assert lowest_allowed(rules, History(), 100.0, 10) == down


def test_policies_look_back() -> None:
    rules = v2.HPAScalingRules(policies=[PODS], select_policy="Max")
    assert highest_allowed(rules, History(ups=[Change(90.0, 3), Change(10.0, 5)]), 100.0, 10) == 11
    assert lowest_allowed(rules, History(downs=[Change(90.0, 3)]), 100.0, 10) == 9


@pytest.mark.parametrize(("text", "seconds"), [("15s", 15), ("1.014s", 1.014), ("1m0s", 60), ("1m2.5s", 62.5)])
def test_windows(text: str, seconds: float) -> None:
    assert window_seconds(text) == seconds


def test_readings_of_one_container_and_of_all() -> None:
    tree = {
        "timestamp": "2026-01-01T12:00:00Z",
        "window": "15s",
        "containers": [{"name": "c", "usage": {"cpu": "250m"}}, {"name": "d", "usage": {"cpu": "1000001n"}}],
    }
    assert reading_of(tree, "cpu") == Reading(252, NOW, 15.0)
    assert reading_of(tree, "cpu", "c") == Reading(250, NOW, 15.0)
    assert reading_of(tree, "memory") is None

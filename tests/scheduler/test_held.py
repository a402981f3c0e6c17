"""What placed pods take while their resources change, by table."""

import pytest

from pybernetes.api.types import core_v1 as core
from pybernetes.scheduler.pod import PodInfo


def resized(asked: str, allocated: str, actual: str, *conditions: core.PodCondition) -> core.Pod:
    """A pod with one container, by requests of cpu."""
    container = core.Container(name="c", resources=core.ResourceRequirements(requests={"cpu": asked, "memory": "1Gi"}))
    told = core.ContainerStatus(
        name="c",
        allocated_resources={"cpu": allocated, "memory": "1Gi"} if allocated else {},
        resources=core.ResourceRequirements(requests={"cpu": actual, "memory": "1Gi"}) if actual else None,
    )
    status = core.PodStatus(container_statuses=[told], conditions=list(conditions))
    return core.Pod(spec=core.PodSpec(containers=[container]), status=status)


INFEASIBLE = core.PodCondition(type="PodResizePending", status="True", reason="Infeasible")
DEFERRED = core.PodCondition(type="PodResizePending", status="True", reason="Deferred")


@pytest.mark.parametrize(
    ("pod", "cpu"),
    [
        (resized("1", "", ""), 1000),
        (resized("1", "1000m", "1"), 1000),
        (resized("1", "2", "2"), 2000),  # shrinks, and the node has not said so yet
        (resized("1", "1", "2"), 2000),  # its cgroup has not shrunk
        (resized("3", "1", "1"), 3000),  # grows: the room is kept for it
        (resized("3", "1", "1", DEFERRED), 3000),
        (resized("3", "1", "1", INFEASIBLE), 1000),
    ],
)
def test_a_pod_takes_the_larger_of_what_it_asks_for_and_what_it_has(pod: core.Pod, cpu: int) -> None:
    assert PodInfo(pod).needs.requests == {"cpu": cpu, "memory": 1 << 30}


def test_a_pod_that_has_what_it_asks_for_shares_what_is_known_of_its_template() -> None:
    assert PodInfo(resized("1", "1", "1")).needs is PodInfo(resized("1", "1000m", "")).needs


def test_the_pod_as_a_whole() -> None:
    pod = core.Pod(
        spec=core.PodSpec(
            containers=[core.Container(name="c")], resources=core.ResourceRequirements(requests={"cpu": "1"})
        ),
        status=core.PodStatus(
            container_statuses=[core.ContainerStatus(name="c")],
            allocated_resources={"cpu": "2"},
            resources=core.ResourceRequirements(requests={"cpu": "2"}),
        ),
    )
    assert PodInfo(pod).needs.requests == {"cpu": 2000}

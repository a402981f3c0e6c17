"""Pods as controllers see them: availability, the order of deletion, claims of owners."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from pybernetes.api.selectors.labels import parse
from pybernetes.api.time import format_time
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers import pods
from pybernetes.controllers.ownership import plan_claims, reference
from pybernetes.controllers.replicaset.plan import Counts, Traits, count_pods, place_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pod(
    name: str, *, node: str | None = "n1", phase: str = "Running", ready_for: float | None = 100, age: float = 200,
    restarts: int = 0, cost: str | None = None, **meta: Any,
) -> core_v1.Pod:  # fmt: skip
    since = None if ready_for is None else format_time(NOW - timedelta(seconds=ready_for))
    condition = core_v1.PodCondition(type="Ready", status=str(ready_for is not None), last_transition_time=since)
    container = core_v1.ContainerStatus(name="c", image="i", image_id="", ready=True, restart_count=restarts)
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            name=name, uid=name, namespace="n", creation_timestamp=format_time(NOW - timedelta(seconds=age)), annotations={pods.DELETION_COST: cost} if cost else {}, **meta
        ),
        spec=core_v1.PodSpec(containers=[], node_name=node),
        status=core_v1.PodStatus(phase=phase, conditions=[condition], container_statuses=[container]),
    )  # fmt: skip


def with_init(found: core_v1.Pod, *, policy: str | None = "Always", restarts: int = 0) -> core_v1.Pod:
    made = core_v1.Container(name="i", restart_policy=policy)
    told = core_v1.ContainerStatus(name="i", image="i", image_id="", ready=True, restart_count=restarts)
    spec = msgspec.structs.replace(found.spec, init_containers=[made])
    status = msgspec.structs.replace(found.status, init_container_statuses=[told])
    return msgspec.structs.replace(found, spec=spec, status=status)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("a", node=None), pod("b")),
        (pod("a", phase="Pending", ready_for=None), pod("b", ready_for=None)),
        (pod("a", ready_for=None), pod("b")),
        (pod("a", cost="-5"), pod("b")),
        (pod("a", cost="nonsense"), pod("b", cost="5")),
        (pod("a", node="crowded"), pod("b")),
        (pod("a", ready_for=10), pod("b", ready_for=5000)),
        (pod("a", restarts=3), pod("b")),
        (with_init(pod("a", restarts=3), restarts=0), with_init(pod("b", restarts=2), restarts=9)),
        (with_init(pod("a", age=5000), restarts=2), with_init(pod("b", age=10), restarts=1)),
        (with_init(pod("a", age=10), policy=None), with_init(pod("b", age=5000), policy=None, restarts=9)),
        (pod("a", ready_for=-100000), pod("b", ready_for=5000)),
        (pod("a", age=10), pod("b", age=5000)),
    ],
    ids=[
        "unassigned",
        "pending",
        "not ready",
        "cheap",
        "bad cost",
        "crowded",
        "fresh",
        "restarted",
        "sidecars come second",
        "sidecar restarted",
        "init container restarted",
        "ready in the future",
        "young",
    ],
)
def test_the_least_useful_pod_goes_first(first: core_v1.Pod, second: core_v1.Pod) -> None:
    crowd = [pod(f"x{number}", node="crowded") for number in range(3)]
    for given in ([first, second], [second, first]):
        assert [found.metadata.name for found in pods.rank_for_deletion(given, [*given, *crowd], NOW)] == ["a", "b"]


@pytest.mark.parametrize(
    ("found", "least", "expected"),
    [
        (pod("p", ready_for=None), 0, None),
        (pod("p", ready_for=0), 0, 0),
        (pod("p", ready_for=4), 10, 6),
        (pod("p", ready_for=40), 10, 0),
    ],
)
def test_a_pod_is_available_when_it_was_ready_long_enough(
    found: core_v1.Pod, least: int, expected: float | None
) -> None:
    assert pods.seconds_until_available(found, least, NOW) == expected


def test_owners_claim_what_they_select_and_nobody_owns() -> None:
    owner = core_v1.ReplicationController(
        metadata=meta_v1.ObjectMeta(name="o", uid="o"),
        spec=core_v1.ReplicationControllerSpec(template=core_v1.PodTemplateSpec(spec=core_v1.PodSpec(containers=[]))),
    )
    own, other = [reference(owner)], [meta_v1.OwnerReference(api_version="v1", kind="X", name="x", uid="x", controller=True)]  # fmt: skip
    labels = {"app": "a"}
    candidates = [
        pod("mine", labels=labels, owner_references=own),
        pod("relabelled", labels={"app": "b"}, owner_references=own),
        pod("loose", labels=labels),
        pod("unrelated", labels={"app": "b"}),
        pod("others", labels=labels, owner_references=other),
        pod("leaving", labels=labels, deletion_timestamp="2026-01-01T00:00:00Z"),
    ]
    claims = plan_claims(owner, parse("app=a"), candidates)
    names = [[found.metadata.name for found in group] for group in (claims.mine, claims.adopt, claims.release)]
    assert names == [["mine"], ["loose"], ["relabelled"]]


def test_a_set_counts_its_pods_by_what_they_are() -> None:
    owner = [meta_v1.OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="s", uid="s", controller=True)]
    labels = {"app": "a", "hash": "1"}
    found = [
        pod("ready", labels=labels, owner_references=owner),
        pod("fresh", labels=labels, owner_references=owner, ready_for=4),
        pod("unready", labels=labels, owner_references=owner, ready_for=None),
        pod("relabelled", labels={"app": "a"}, owner_references=owner),
        pod("ended", labels=labels, owner_references=owner, phase="Succeeded"),
        pod("leaving", labels=labels, owner_references=owner, deletion_timestamp="2026-01-01T00:00:00Z"),
    ]
    members: dict[Traits, list[tuple[str, str]]] = {}
    for each in found:
        place = place_of(each)
        assert place is not None
        assert place[0] == "s"
        members.setdefault(place[1], []).append(("n", each.metadata.name or ""))
    assert count_pods(members, labels, None) == Counts(
        replicas=4, fully_labeled=3, ready=3, available=3, terminating=1, until_available=None
    )
    waits = [pods.seconds_until_available(each, 10, NOW) for each in (found[0], found[1], found[3])]
    assert count_pods(members, labels, waits) == Counts(
        replicas=4, fully_labeled=3, ready=3, available=2, terminating=1, until_available=6
    )
    assert place_of(pod("loose")) is None

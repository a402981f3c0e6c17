"""The pure parts of Deployments as tables: sizes, proportions, revisions, conditions."""

from datetime import UTC, datetime, timedelta

import pytest

from pybernetes.api.time import format_time
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers.deployment import revision, rollout, status
from pybernetes.controllers.deployment.rollout import View

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def template(image: str = "a") -> core_v1.PodTemplateSpec:
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image=image)])
    return core_v1.PodTemplateSpec(metadata=meta_v1.ObjectMeta(labels={"app": "d"}), spec=spec)


def deployment(
    replicas: int, surge: int | str = "25%", unavailable: int | str = "25%", **spec: object
) -> apps_v1.Deployment:
    rolling = apps_v1.RollingUpdateDeployment(max_surge=surge, max_unavailable=unavailable)
    made = apps_v1.DeploymentSpec(
        replicas=replicas,
        selector=meta_v1.LabelSelector(match_labels={"app": "d"}),
        template=template("new"),
        strategy=apps_v1.DeploymentStrategy(type="RollingUpdate", rolling_update=rolling),
        progress_deadline_seconds=600,
        **spec,  # type: ignore[arg-type]
    )
    return apps_v1.Deployment(metadata=meta_v1.ObjectMeta(name="d", generation=1), spec=made)


def replica_set(
    name: str, replicas: int, available: int | None = None, *, desired: int | None = None, most: int | None = None,
    image: str = "old", revised: int = 1,
) -> apps_v1.ReplicaSet:  # fmt: skip
    annotations = {revision.REVISION: str(revised)}
    if desired is not None:
        annotations |= {revision.DESIRED_REPLICAS: str(desired), revision.MAX_REPLICAS: str(most or desired)}
    spec = apps_v1.ReplicaSetSpec(
        replicas=replicas, selector=meta_v1.LabelSelector(match_labels={"app": "d"}), template=template(image)
    )
    ready = replicas if available is None else available
    return apps_v1.ReplicaSet(
        metadata=meta_v1.ObjectMeta(name=name, annotations=annotations, creation_timestamp=f"2026-01-01T00:00:0{revised}Z"),
        spec=spec,
        status=apps_v1.ReplicaSetStatus(replicas=replicas, ready_replicas=ready, available_replicas=ready),
    )  # fmt: skip


def sizes(plan: list[rollout.Resize]) -> dict[str, int]:
    return {step.target.metadata.name or "": step.replicas for step in plan}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (3, "25%", "25%", (1, 0)),
        (10, "25%", "25%", (3, 2)),
        (4, 0, 0, (0, 1)),
        (1, "0%", "10%", (0, 1)),
        (100, "100%", "0%", (100, 0)),
        (5, 2, 1, (2, 1)),
    ],
)
def test_surge_is_rounded_up_and_unavailable_down(
    replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]
) -> None:
    assert rollout.fenceposts(deployment(replicas, surge, unavailable)) == expected


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        # The first new pod comes on top of the old ones.
        ((0, 0), [(10, 10)], {"new": 3}),
        # No room is left: old pods go as far as availability allows.
        ((3, 0), [(10, 10)], {"old0": 8}),
        # New pods that are available let as many old ones go.
        ((5, 3), [(8, 8)], {"old0": 5}),
        # Old pods that are broken go first, all of them that may.
        ((3, 0), [(10, 8)], {"old0": 8}),
        ((3, 0), [(5, 0), (5, 5)], {"old0": 3}),
        # Nothing moves while new pods are stuck.
        ((5, 0), [(8, 8)], {}),
        # The last old pods go once all new ones are there.
        ((10, 10), [(2, 2)], {"old0": 0}),
        # Too many new ones after a change of size.
        ((12, 12), [], {"new": 10}),
        ((10, 10), [], {}),
    ],
)
def test_a_rolling_update_takes_one_step_after_the_other(
    new: tuple[int, int], old: list[tuple[int, int]], expected: dict[str, int]
) -> None:
    olds = [replica_set(f"old{number}", *counts, revised=number + 1) for number, counts in enumerate(old)]
    view = View(deployment(10), replica_set("new", *new, revised=9), olds)
    assert sizes(rollout.plan_rolling(view)) == expected


def test_a_stuck_rollout_of_three_keeps_three_available() -> None:
    view = View(deployment(3), replica_set("new", 1, 0), [replica_set("old", 3)])
    assert rollout.plan_rolling(view) == []


def test_a_new_set_begins_with_what_there_is_room_for() -> None:
    assert rollout.first_size(View(deployment(3), None, [])) == 3
    assert rollout.first_size(View(deployment(3), None, [replica_set("old", 3)])) == 1
    assert rollout.first_size(View(deployment(3), None, [replica_set("old", 4)])) == 0


def test_one_active_set_takes_the_whole_change() -> None:
    view = View(deployment(5), replica_set("new", 3, desired=3), [replica_set("old", 0, desired=3)])
    assert rollout.is_scaling(view)
    assert sizes(rollout.plan_scaling(view)) == {"new": 5}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        # 10 pods (8 old, 5 new with a surge of 3) become 20 with a surge of 5: 25 in all.
        (20, {"old": 15, "new": 10}),
        (5, {"old": 4, "new": 3}),
        (0, {"old": 0, "new": 0}),
    ],
)
def test_several_active_sets_share_in_proportion(wanted: int, expected: dict[str, int]) -> None:
    new = replica_set("new", 5, 2, desired=10, most=13, revised=2)
    view = View(deployment(wanted), new, [replica_set("old", 8, desired=10, most=13)])
    assert sizes(rollout.plan_scaling(view)) == expected
    assert sum(expected.values()) == wanted + (view.surge if wanted else 0)


def test_a_saturated_new_set_leaves_nothing_to_old_ones() -> None:
    new = replica_set("new", 10, desired=10)
    assert sizes(rollout.plan_scaling(View(deployment(10), new, [replica_set("old", 2)]))) == {"old": 0}


def test_the_hash_is_stable_safe_and_different_for_each_collision() -> None:
    one = revision.template_hash(template(), 0)
    assert one == revision.template_hash(template(), 0)
    assert len({revision.template_hash(template(), count) for count in range(5)}) == 5
    assert set(one) <= set("bcdfghjklmnpqrstvwxz2456789")
    assert len(one) in (9, 10)


def test_templates_are_compared_without_their_hash() -> None:
    one = template()
    labelled = core_v1.PodTemplateSpec(
        metadata=meta_v1.ObjectMeta(labels={"app": "d", revision.HASH_LABEL: "x"}), spec=one.spec
    )
    assert revision.same_template(one, labelled)
    assert not revision.same_template(one, template("other"))


def test_a_revision_that_comes_back_keeps_its_history() -> None:
    made = revision.new_set_annotations(deployment(1), {revision.REVISION: "1", revision.REVISION_HISTORY: "0"}, 3)
    assert made == {revision.REVISION: "3", revision.REVISION_HISTORY: "0,1"}


def test_the_newest_set_keeps_its_revision() -> None:
    assert revision.new_set_annotations(deployment(1), {revision.REVISION: "4"}, 3) == {revision.REVISION: "4"}


def test_old_sets_beyond_the_limit_go_the_oldest_revision_first() -> None:
    old = [replica_set(f"old{number}", 0, revised=number) for number in (3, 1, 2)] + [replica_set("busy", 1, revised=0)]
    view = deployment(1, revision_history_limit=1)
    assert [found.metadata.name for found in revision.plan_cleanup(view, old)] == ["old1", "old2"]


def progressing(reason: str, seconds_ago: float, state: str = "True") -> apps_v1.DeploymentCondition:
    stamp = format_time(NOW - timedelta(seconds=seconds_ago))
    return apps_v1.DeploymentCondition(
        type="Progressing", status=state, reason=reason, last_update_time=stamp, last_transition_time=stamp
    )


@pytest.mark.parametrize(
    ("before", "new", "old", "expected"),
    [
        # Moved since the last status.
        ([], (1, 0), (3, 3), ("True", "ReplicaSetUpdated", 'ReplicaSet "new" is progressing.')),
        # Done.
        ([progressing("ReplicaSetUpdated", 5)], (3, 3), (0, 0), ("True", "NewReplicaSetAvailable", 'ReplicaSet "new" has successfully progressed.')),
    ],
)  # fmt: skip
def test_progress_is_told(
    before: list[apps_v1.DeploymentCondition],
    new: tuple[int, int],
    old: tuple[int, int],
    expected: tuple[str, str, str],
) -> None:
    base = deployment(3)
    current = apps_v1.Deployment(
        metadata=base.metadata, spec=base.spec, status=apps_v1.DeploymentStatus(conditions=before)
    )
    made = status.rollout_status(View(current, replica_set("new", *new), [replica_set("old", *old)]), NOW)
    found = status.condition(made.conditions, "Progressing")
    assert found is not None
    assert (found.status, found.reason, found.message) == expected


def test_a_rollout_that_does_not_move_times_out_and_says_so_once() -> None:
    base = deployment(3)
    old = apps_v1.DeploymentStatus(
        replicas=4, updated_replicas=1, ready_replicas=3, available_replicas=3,
        conditions=[progressing("ReplicaSetUpdated", 601)],
    )  # fmt: skip
    current = apps_v1.Deployment(metadata=base.metadata, spec=base.spec, status=old)
    view = View(current, replica_set("new", 1, 0), [replica_set("old", 3)])
    made = status.rollout_status(view, NOW)
    found = status.condition(made.conditions, "Progressing")
    assert found is not None
    assert (found.status, found.reason) == ("False", "ProgressDeadlineExceeded")
    assert found.message == 'ReplicaSet "new" has timed out progressing.'
    available = status.condition(made.conditions, "Available")
    assert available is not None
    assert (available.status, available.reason) == ("True", "MinimumReplicasAvailable")
    assert status.seconds_until_timeout(current, made, NOW) is None


def test_the_deadline_is_waited_for() -> None:
    base = deployment(3)
    old = apps_v1.DeploymentStatus(conditions=[progressing("ReplicaSetUpdated", 100)])
    assert status.seconds_until_timeout(base, old, NOW) == 500


def test_too_few_available_pods_are_told() -> None:
    made = status.base_status(View(deployment(4), replica_set("new", 4, 2), []), format_time(NOW))
    found = status.condition(made.conditions, "Available")
    assert found is not None
    assert (found.status, found.message) == ("False", "Deployment does not have minimum availability.")
    assert (made.unavailable_replicas, made.available_replicas) == (2, 2)


def test_what_a_template_gives_its_pods_makes_it_another() -> None:
    plain, hashed = template(), template()
    hashed.metadata.labels[revision.HASH_LABEL] = "abc"
    assert revision.same_template(plain, hashed)
    for change in ({"annotations": {"a": "b"}}, {"finalizers": ["example.com/keep"]}, {"labels": {"app": "other"}}):
        meta = meta_v1.ObjectMeta(**{"labels": {"app": "d"}, **change})  # type: ignore[arg-type]
        assert not revision.same_template(plain, core_v1.PodTemplateSpec(metadata=meta, spec=plain.spec))

"""Which nodes there are, and what the next one is called."""

from pathlib import Path

import pytest

from pybernetes.cluster.membership import NodesError, find, grown, joined, marked, without
from pybernetes.cluster.profile import Profile, Settings

LAB = Profile("lab", Settings(), Path("/state"), Path("/run/lab"))


def names(profile: Profile) -> list[str]:
    return [node.name for node in profile.nodes]


def test_nodes_are_called_as_by_minikube() -> None:
    assert names(grown(LAB, 3)) == ["lab", "lab-m02", "lab-m03"]


def test_each_has_a_part_of_the_pod_range() -> None:
    assert [(node.pod_cidr, node.address) for node in grown(LAB, 3).nodes] == [
        ("10.244.0.0/24", "10.244.0.1"),
        ("10.244.1.0/24", "10.244.1.1"),
        ("10.244.2.0/24", "10.244.2.1"),
    ]


def test_what_a_deleted_node_had_is_given_again() -> None:
    three = grown(LAB, 3)
    two = without(three, find(three, "m02"))
    assert names(two) == ["lab", "lab-m03"]
    assert names(joined(two)) == ["lab", "lab-m03", "lab-m02"]
    assert joined(two).nodes[2].number == 1


def test_ranges_of_nodes_elsewhere_are_left_alone() -> None:
    assert joined(LAB, ranges=["10.244.1.0/24", "10.244.2.0/24"]).nodes[1].pod_cidr == "10.244.3.0/24"


def test_a_node_is_found_by_its_whole_name_and_by_its_own_part() -> None:
    two = joined(grown(LAB, 2), "worker")
    assert find(two, "m02") == find(two, "lab-m02")
    assert find(two, "worker").named("agent") == "agent-worker"
    assert find(two, "lab").named("agent") == "agent"
    with pytest.raises(NodesError, match="no node 'm07'"):
        find(two, "m07")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lab-m02", "already"),
        ("m02", "already"),
        ("lab", "already"),
        ("Worker", "not valid"),
        ("a/b", "not valid"),
        ("-a", "not valid"),
    ],
)
def test_names_that_cannot_be(name: str, words: str) -> None:
    with pytest.raises(NodesError, match=words):
        joined(grown(LAB, 2), name)


def test_no_node_is_thrown_away_unasked() -> None:
    with pytest.raises(NodesError, match="has 3 nodes"):
        grown(grown(LAB, 3), 2)


def test_there_are_addresses_for_254_further_nodes() -> None:
    whole = grown(LAB, 255)
    assert whole.nodes[-1].pod_cidr == "10.244.254.0/24"
    with pytest.raises(NodesError, match="no part left"):
        joined(whole)


def test_settings_are_read_as_they_were_kept() -> None:
    from dataclasses import asdict

    kept = marked(grown(LAB, 3), find(grown(LAB, 3), "m03"), stopped=True).settings
    assert Settings.of(asdict(kept)) == kept
    assert [each.stopped for each in kept.nodes] == [False, True]

"""Completion indexes of Indexed Jobs: which are done, which need a pod, and how they are written ("0-3,7"). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.types import core_v1
from pybernetes.wire.numbers import parse_number

ANNOTATION = "batch.kubernetes.io/job-completion-index"


def index_of(pod: core_v1.Pod) -> int | None:
    """The pod's completion index; None if it has none."""
    return parse_number(pod.metadata.annotations.get(ANNOTATION, ""))


def parse(text: str) -> set[int]:
    """The set that a text stands for; "0-3,7" is 0, 1, 2, 3 and 7."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first.isdigit():
            found.update(range(int(first), int(last if dash else first) + 1))
    return found


def render(indexes: Iterable[int]) -> str:
    """The text of a set: runs of three and more as a range, shorter ones as single numbers, as upstream does."""
    runs: list[list[int]] = []
    for index in sorted(set(indexes)):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)


def missing(completions: int, taken: set[int], count: int) -> list[int]:
    """The first `count` indexes that are not taken."""
    free = (index for index in range(completions) if index not in taken)
    return [index for index, _ in zip(free, range(count), strict=False)]


def surplus(ranked: Iterable[core_v1.Pod], completions: int) -> list[core_v1.Pod]:
    """The pods that have no business to run: without an index that is asked for, or the second of their index.

    Of several with one index the last of `ranked` (the order in which pods are given up) stays.
    """
    taken: set[int] = set()
    gone: list[core_v1.Pod] = []
    for pod in reversed(list(ranked)):
        index = index_of(pod)
        if index is None or index >= completions or index in taken:
            gone.append(pod)
        else:
            taken.add(index)
    return gone

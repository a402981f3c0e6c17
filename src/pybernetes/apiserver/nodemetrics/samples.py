"""Samples of a kubelet's counters, and the usage between two of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct, field

NODE: Final = ("", "", "")
Subject: TypeAlias = tuple[str, str, str]
"""Namespace, pod and container; NODE for the node itself."""

NANO: Final = 1_000_000_000
SHORTEST: Final = 0.9
"""Seconds that two samples have to lie apart for a rate that says something."""
USUAL: Final = 10.0
"""Seconds that a rate looks back where there are samples that old."""
LONGEST: Final = 60.0
"""Seconds after which a sample says nothing about now."""

_LINE: Final = re.compile(
    r"(container|node)_(cpu_usage_seconds_total|memory_working_set_bytes)(?:\{([^}]*)\})? (\S+) (\d+)"
)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


class Counters(Struct):
    """Of one container or node: CPU nanoseconds so far, bytes in use, and when (seconds since 1970)."""

    cpu: int | None = None
    memory: int | None = None
    time: float = 0.0


class Sample(Struct, frozen=True):
    """What one answer of a kubelet told."""

    time: float
    counters: Mapping[Subject, Counters] = field(default_factory=dict)


class Usage(Struct, frozen=True):
    """Nanocores on average over `window` seconds until `time`, and the bytes in use then."""

    nanocores: int
    memory: int
    time: float
    window: float


def parse_sample(text: str, now: float) -> Sample:
    """A kubelet's /metrics/resource (Prometheus' text format); lines about anything else are skipped."""
    found: dict[Subject, Counters] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        kind, what, labels, value, moment = match.groups()
        named = dict(_LABEL.findall(labels or ""))
        subject = NODE if kind == "node" else (named["namespace"], named["pod"], named["container"])
        counters = found.setdefault(subject, Counters())
        if what.startswith("cpu"):
            counters.cpu, counters.time = round(float(value) * NANO), int(moment) / 1000
        else:
            counters.memory = round(float(value))
    return Sample(now, found)


def usages(samples: Sequence[Sample]) -> dict[Subject, Usage]:
    """What everything in the newest sample (the last one) used since a former one; without that it is left out."""
    if not samples:
        return {}
    *former, newest = samples
    found: dict[Subject, Usage] = {}
    for subject, now in newest.counters.items():
        before = _base(now, (sample.counters.get(subject) for sample in former))
        if before is not None and before.cpu is not None and now.cpu is not None and now.memory is not None:
            window = now.time - before.time
            found[subject] = Usage(round((now.cpu - before.cpu) / window), now.memory, now.time, window)
    return found


def _base(now: Counters, former: Iterable[Counters | None]) -> Counters | None:
    """Of the former counters the latest that is old enough, else the oldest; those of another run do not count."""
    best: Counters | None = None
    for one in _comparable(now, former):
        if best is None or now.time - one.time >= USUAL:
            best = one
    return best


def _comparable(now: Counters, former: Iterable[Counters | None]) -> Iterator[Counters]:
    for one in former:
        if one is None or one.cpu is None or now.cpu is None or one.cpu > now.cpu:
            continue
        if SHORTEST <= now.time - one.time <= LONGEST:
            yield one


def missing(samples: Sequence[Sample]) -> bool:
    """Whether the newest sample names something that has no usage yet."""
    return not samples or len(usages(samples)) < len(samples[-1].counters)


def kept(samples: Sequence[Sample]) -> list[Sample]:
    """Those that a later rate may need: all of the usual time, and the one before it."""
    newest = samples[-1].time
    recent = [sample for sample in samples if newest - sample.time < USUAL]
    older = [sample for sample in samples if USUAL <= newest - sample.time <= LONGEST]
    return [*older[-1:], *recent]

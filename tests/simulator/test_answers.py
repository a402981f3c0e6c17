"""What simulated containers write, answer and use; when nodes are not well."""

from __future__ import annotations

import random
from math import inf

import pytest

from pybernetes.simulator.answers import Reply, reply
from pybernetes.simulator.logs import Log, Selection
from pybernetes.simulator.outages import Outages
from pybernetes.simulator.rules import Outage
from pybernetes.simulator.stages import Behaviour, Logs
from pybernetes.simulator.usage import Counter, Use, cores, counted, memory, resource_metrics
from pybernetes.simulator.view import Container, Resources

EVERY = Log(Logs(("a{count}", "b of {pod}"), every=2.0), 100.0, {"pod": "p"})
ONCE = Log(Logs(("a", "b", "c")), 100.0, {})


@pytest.mark.parametrize(
    ("log", "query", "until", "text"),
    [
        (EVERY, {}, 99.0, ""),
        (EVERY, {}, 105.0, "a0\nb of p\na2\n"),
        (EVERY, {"tailLines": "1"}, 105.0, "a2\n"),
        (EVERY, {"tailLines": "0"}, 105.0, ""),
        (EVERY, {"sinceSeconds": "3"}, 105.0, "b of p\na2\n"),
        (EVERY, {"sinceTime": "1970-01-01T00:01:44Z"}, 105.0, "a2\n"),
        (ONCE, {}, 100.0, "a\nb\nc\n"),
        (ONCE, {"tailLines": "2"}, 900.0, "b\nc\n"),
        (ONCE, {"sinceSeconds": "1"}, 900.0, ""),
        (ONCE, {"timestamps": "true", "tailLines": "1"}, 900.0, "1970-01-01T00:01:40.000000000Z c\n"),
    ],
)
def test_log(log: Log, query: dict[str, str], until: float, text: str) -> None:
    selection = Selection.of(query, until)
    lines = log.text(log.first(selection, until), until, timestamps=selection.timestamps)
    assert b"".join(lines).decode() == text


def test_the_next_line_of_a_log_has_its_moment() -> None:
    assert EVERY.moment(3) == 106.0
    assert ONCE.moment(3) == inf


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["pg_isready"], Reply("accepting\n")),
        (["sh", "-c", "pg_isready"], Reply("accepting\n")),
        (["echo", "a", "b"], Reply("a b\n")),
        (["sh", "-c", "echo 'a  b'"], Reply("a  b\n")),
        (["sh", "-c", "echo it's"], Reply("it's\n")),
        (["false"], Reply(code=1)),
        (["hostname"], Reply("pod\n")),
    ],
)
def test_reply(command: list[str], expected: Reply) -> None:
    assert reply(command, {"pg_isready": "accepting"}, "pod") == expected


def test_what_nobody_has_an_answer_for() -> None:
    assert reply(["ls"], {"*": "done"}, "pod") == Reply("done\n")
    said = reply(["ls", "-l"], {}, "pod")
    assert (said.code, said.output) == (0, "")
    assert said.error.startswith("ls -l: simulated")


@pytest.mark.parametrize(
    ("resources", "said", "used"),
    [
        (Resources(requests={"cpu": "200m", "memory": "64Mi"}), Behaviour(), (0.1, 32 << 20)),
        (Resources(limits={"cpu": 2}), Behaviour(cpu="150%"), (3.0, 16 << 20)),
        (Resources(), Behaviour(cpu="250m", memory="1Gi"), (0.25, 1 << 30)),
        (Resources(), Behaviour(cpu="200%"), (0.01, 16 << 20)),
    ],
)
def test_usage(resources: Resources, said: Behaviour, used: tuple[float, int]) -> None:
    container = Container(name="c", resources=resources)
    assert (cores(container, said), memory(container, said)) == (pytest.approx(used[0]), used[1])


def test_counters_grow_by_the_rate_of_their_time() -> None:
    first = counted(None, started=100.0, rate=0.5, now=110.0)
    assert first == Counter(5.0, 110.0)
    assert counted(first, 100.0, 2.0, 115.0) == Counter(15.0, 115.0)
    assert counted(first, 112.0, 2.0, 115.0) == Counter(6.0, 115.0), "a container that has started anew counts from 0"


def test_metrics_are_a_kubelets() -> None:
    lines = resource_metrics([Use("d", "p", "a", 1.5, 10), Use("d", "p", "b", 0.5, 20)], 7.25).splitlines()
    assert 'container_cpu_usage_seconds_total{container="a",namespace="d",pod="p"} 1.500000000 7250' in lines
    assert 'pod_memory_working_set_bytes{namespace="d",pod="p"} 30 7250' in lines
    assert "node_cpu_usage_seconds_total 2.000000000 7250" in lines


def test_outages_come_again() -> None:
    outages = Outages.of(Outage(after=60, jitter=0, lasts=10, chance=1, message=""), 0.0, random.Random(1))
    seen = {moment: outages.look(moment, random.Random(1)) for moment in (59.0, 60.0, 69.0, 70.0, 129.0, 130.0, 140.0)}
    assert [moment for moment, bad in seen.items() if bad] == [60.0, 69.0, 130.0]
    assert not Outages.of(None, 0.0, random.Random(1)).look(1e9, random.Random(1))

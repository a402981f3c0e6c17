"""Rates between samples, as tables; when kubelets are asked; what clients get of it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import server as inprocess_server

from pybernetes.aio.clock import FakeClock
from pybernetes.apiserver.nodemetrics.kubelet_samples import SECOND_LOOK, KubeletSamples
from pybernetes.apiserver.nodemetrics.objects import pod_metrics
from pybernetes.apiserver.nodemetrics.samples import NODE, Counters, Sample, Usage, kept, parse_sample, usages
from pybernetes.cluster.certificates import Certificates
from pybernetes.cluster.profile import Profile, Settings

CONTAINER = ("default", "a", "c")
TEXT = """\
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="c",namespace="default",pod="a"} 1.5 10500
container_memory_working_set_bytes{container="c",namespace="default",pod="a"} 4096 10500
node_cpu_usage_seconds_total 100.25 11000
node_memory_working_set_bytes 1.048576e+06 11000
pod_cpu_usage_seconds_total{namespace="default",pod="a"} 2 10500
"""


def sample(time: float, cpu: float) -> Sample:
    return Sample(time, {CONTAINER: Counters(round(cpu * 10**9), 4096, time)})


def test_a_kubelets_answer_is_read() -> None:
    assert parse_sample(TEXT, 11.0) == Sample(
        11.0, {CONTAINER: Counters(1_500_000_000, 4096, 10.5), NODE: Counters(100_250_000_000, 1 << 20, 11.0)}
    )


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([(0, 0)], None),
        ([(0, 1), (1, 1.5)], (500_000_000, 1)),
        ([(0, 1), (0.5, 1.5)], None),
        ([(0, 0), (5, 5), (15, 6)], (100_000_000, 10)),
        ([(0, 0), (20, 10)], (500_000_000, 20)),
        ([(0, 0), (61, 10)], None),
        ([(0, 9), (10, 1), (12, 2)], (500_000_000, 2)),
    ],
    ids=["one", "two", "too near", "the usual time back", "older", "too old", "another run"],
)
def test_rates(taken: list[tuple[float, float]], expected: tuple[int, float] | None) -> None:
    found = usages([sample(time, cpu) for time, cpu in taken]).get(CONTAINER)
    assert (found and (found.nanocores, found.window)) == expected


def test_what_is_kept() -> None:
    assert [one.time for one in kept([sample(time, 0) for time in (0, 5, 14, 20, 24, 29)])] == [14, 20, 24, 29]
    assert [one.time for one in kept([sample(time, 0) for time in (0, 100)])] == [100]


RUNNING = {"state": {"running": {}}}
POD: dict[str, Any] = {
    "metadata": {"name": "a", "namespace": "default"},
    "status": {"containerStatuses": [{"name": "c", **RUNNING}, {"name": "d", **RUNNING}]},
}


def test_a_pod_is_told_of_as_a_whole_or_not_at_all() -> None:
    usage = Usage(250_000_000, 2 << 20, 60.0, 15.25)
    assert pod_metrics(POD, {CONTAINER: usage}, 61.0) is None
    made = pod_metrics(POD, {CONTAINER: usage, ("default", "a", "d"): usage}, 61.0)
    assert made is not None
    assert made["window"] == "15.25s"
    assert made["timestamp"] == "1970-01-01T00:01:00Z"
    assert made["containers"][0] == {"name": "c", "usage": {"cpu": "250m", "memory": "2Mi"}}


class Machine:
    """A kubelet whose one container uses half a core."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.looks, self.reachable = clock, 0, True

    async def __call__(self, node: dict[str, Any]) -> Sample | None:
        self.looks += 1
        now = self.clock.now().timestamp()
        return sample(now, now / 2) if self.reachable else None


async def test_kubelets_are_asked_only_when_somebody_asks() -> None:
    clock = FakeClock()
    machine = Machine(clock)
    samples = KubeletSamples(machine, clock)
    node = {"metadata": {"name": "n"}}

    async def ask() -> dict[str, list[Sample]]:
        return await samples.of([node])

    first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
    for _ in range(9):
        await asyncio.sleep(0)
    await clock.advance(SECOND_LOOK)
    for answer in (await first, await second):
        assert usages(answer["n"])[CONTAINER].nanocores == 500_000_000
    assert machine.looks == 2
    await clock.advance(15)
    assert usages((await ask())["n"])[CONTAINER].window == 15
    assert machine.looks == 3
    machine.reachable = False
    await clock.advance(15)
    assert (await ask())["n"] == []


async def test_a_server_that_no_kubelet_knows_serves_none(tmp_path: Path) -> None:
    async with inprocess_server(tmp_path) as server:
        groups = (await server.get("/apis")).tree["groups"]
        assert "metrics.k8s.io" not in [group["name"] for group in groups]


async def test_discovery_and_what_is_not_there(tmp_path: Path) -> None:
    profile = Profile("test", Settings(), tmp_path / "state", tmp_path / "run")
    profile.save()
    Certificates(profile).ensure()
    known = [
        f"--kubelet-client-{what}={profile.certificates / f'apiserver-kubelet-client.{suffix}'}"
        for what, suffix in (("certificate", "crt"), ("key", "key"))
    ]
    async with inprocess_server(tmp_path, *known) as server:
        listed = await server.get("/apis/metrics.k8s.io/v1beta1")
        assert {one["name"]: one["verbs"] for one in listed.tree["resources"]} == {
            "nodes": ["get", "list"],
            "pods": ["get", "list"],
        }
        empty = await server.get("/apis/metrics.k8s.io/v1beta1/pods")
        assert (empty.status, empty.tree["kind"], empty.tree["items"]) == (200, "PodMetricsList", [])
        schemas = (await server.get("/openapi/v3/apis/metrics.k8s.io/v1beta1")).tree["components"]["schemas"]
        assert schemas["io.k8s.metrics.v1beta1.PodMetrics"]["required"] == ["timestamp", "window", "containers"]
        answers = schemas["io.k8s.metrics.v1beta1.NodeMetricsList"]["properties"]["items"]["items"]
        assert answers == {"$ref": "#/components/schemas/io.k8s.metrics.v1beta1.NodeMetrics"}
        gone = await server.get("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/x")
        assert (gone.status, gone.message) == (404, 'podmetrics.metrics.k8s.io "default/x" not found')

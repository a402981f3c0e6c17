"""Event correlation as tables, and the recorder against the fake server."""

import asyncio
from datetime import UTC, datetime

from tests.client.conftest import FakeServer

from pybernetes.aio.clock import FakeClock
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.correlation import COMBINED_PREFIX, Correlator, Occurrence
from pybernetes.client.events import EventRecorder
from pybernetes.client.rest import Client

SUBJECT = ("Pod", "default", "a")


def told(message: str, subject: tuple[str, ...] = SUBJECT) -> Occurrence:
    return Occurrence(subject, "Warning", "BackOff", message)


def test_the_same_event_counts_up() -> None:
    correlator = Correlator()
    first = correlator.correlate(told("m"), 0, "t0")
    second = correlator.correlate(told("m"), 1, "t1")
    assert first is second is not None
    assert (second.count, second.first, second.last) == (2, "t0", "t1")


def test_the_tenth_different_message_is_combined() -> None:
    correlator = Correlator()
    series = [correlator.correlate(told(f"m{number}"), number, "t") for number in range(11)]
    assert [found.message for found in series if found][8:] == ["m8", COMBINED_PREFIX + "m10", COMBINED_PREFIX + "m10"]
    assert series[9] is series[10]


def test_messages_are_told_apart_again_after_ten_minutes() -> None:
    correlator = Correlator()
    for number in range(12):
        correlator.correlate(told(f"m{number}"), 0, "t")
    later = correlator.correlate(told("new"), 601, "t")
    assert later is not None
    assert later.message == "new"


def test_one_object_gets_25_events_then_one_in_five_minutes() -> None:
    correlator = Correlator()
    assert sum(correlator.correlate(told("m"), 0, "t") is not None for _ in range(40)) == 25
    assert correlator.correlate(told("m", ("Pod", "default", "other")), 0, "t") is not None
    assert [correlator.correlate(told("m"), at, "t") is not None for at in (299, 301, 302)] == [False, True, False]


def test_a_forgotten_series_begins_anew() -> None:
    correlator = Correlator()
    series = correlator.correlate(told("m"), 0, "t")
    assert series is not None
    correlator.forget(series)
    again = correlator.correlate(told("m"), 1, "t")
    assert again is not series


async def written(server: FakeServer, count: int) -> list[dict[str, object]]:
    async with asyncio.timeout(5):
        while sum("/events" in request.path for request in server.requests) < count:
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.01)
    return [obj for path, obj in server.objects.items() if "/events/" in path]


async def test_the_recorder_writes_upstreams_fields(server: FakeServer, client: Client) -> None:
    recorder = EventRecorder(client, "kubelet", "n1", clock=FakeClock(datetime(2026, 1, 2, tzinfo=UTC)))
    meta = meta_v1.ObjectMeta(name="a", namespace="default", uid="u", resource_version="7")
    pod = core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[]))
    for _ in range(2):
        recorder.event(pod, "Normal", "Pulled", "already there", field_path="spec.containers{c}")
    (event,) = await written(server, 2)
    assert event["involvedObject"] == {
        "apiVersion": "v1", "kind": "Pod", "name": "a", "namespace": "default", "uid": "u",
        "resourceVersion": "7", "fieldPath": "spec.containers{c}",
    }  # fmt: skip
    assert event["source"] == {"component": "kubelet", "host": "n1"}
    assert (event["reportingComponent"], event["reportingInstance"]) == ("kubelet", "n1")
    assert (event["count"], event["firstTimestamp"], event["message"]) == (2, "2026-01-02T00:00:00Z", "already there")
    await recorder.close()


async def test_an_event_that_was_deleted_is_made_anew(server: FakeServer, client: Client) -> None:
    recorder = EventRecorder(client, "scheduler", clock=FakeClock())
    node = core_v1.ObjectReference(kind="Node", name="n1", uid="n1")
    recorder.event(node, "Normal", "Seen", "m")
    await written(server, 1)
    server.objects.clear()
    recorder.event(node, "Normal", "Seen", "m")
    (event,) = await written(server, 3)
    assert event["count"] == 2
    assert event["metadata"]["namespace"] == "default"  # type: ignore[index]
    await recorder.close()

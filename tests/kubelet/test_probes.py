"""Probes: actions against real sockets, and the verdicts that repetition makes of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.probes import grpc, http, tcp
from pybernetes.kubelet.probes.outcome import Outcome

from .world import World, a_container, a_pod

FREE_PORT = 1


@contextlib.asynccontextmanager
async def answering(answer: bytes, *, wait_for: bytes = b"\r\n\r\n") -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on loopback that sends `answer` to each request."""
    seen: list[bytes] = []
    ends: list[asyncio.Future[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ends.append(end)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            seen.append(await reader.readuntil(wait_for))
            writer.write(answer)
            await writer.drain()
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        end.set_result(None)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], seen
        for end in ends:
            await end


def target(port: int, **fields: object) -> http.HttpTarget:
    action = v1.HTTPGetAction(port=port, path="/ok", **fields)  # type: ignore[arg-type]
    return http.target_of(action, "127.0.0.1", port, "kube-probe/1.36")


@pytest.mark.parametrize(
    ("status", "ok", "output"),
    [
        ("200 OK", True, "hi"),
        ("399 X", True, "Probe terminated redirects, Response body: hi"),
        ("500 No", False, "HTTP probe failed with statuscode: 500"),
    ],
)
async def test_http_statuses(status: str, ok: bool, output: str) -> None:
    async with answering(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nhi".encode()) as (port, seen):
        outcome = await http.get(target(port, http_headers=[v1.HTTPHeader(name="Host", value="web.example")]), 5)
    assert (outcome.ok, outcome.output) == (ok, output)
    assert b"Host: web.example" in seen[0]
    assert b"User-Agent: kube-probe/1.36" in seen[0]


async def test_http_failures_have_upstreams_words() -> None:
    outcome = await http.get(target(FREE_PORT), 5)
    assert outcome.output == (
        f'Get "http://127.0.0.1:{FREE_PORT}/ok": dial tcp 127.0.0.1:{FREE_PORT}: connect: connection refused'
    )
    async with answering(b"") as (port, _):
        outcome = await http.get(target(port), 0.05)
    assert "context deadline exceeded (Client.Timeout exceeded while awaiting headers)" in outcome.output


async def test_a_redirect_to_another_host_is_a_success_not_followed() -> None:
    """It is told, though (upstream's ProbeWarning)."""
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 4\r\n\r\nthis"
    async with answering(answer) as (port, _):
        outcome = await http.get(target(port), 5)
    assert outcome == Outcome(True, "Probe terminated redirects, Response body: this", warning=True)


async def test_tcp() -> None:
    async with answering(b"") as (port, _):
        assert (await tcp.connect("127.0.0.1", port, 5)).ok
    outcome = await tcp.connect("127.0.0.1", FREE_PORT, 5)
    assert outcome.output == f"dial tcp 127.0.0.1:{FREE_PORT}: connect: connection refused"


def health_answer(status: int) -> bytes:
    """SETTINGS, then DATA with a HealthCheckResponse on stream 1."""
    message = bytes([0, 0, 0, 0, 2, 8, status])
    data = len(message).to_bytes(3) + bytes([0, 0]) + (1).to_bytes(4) + message
    return bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + data


@pytest.mark.parametrize(
    ("status", "ok", "output"),
    [(1, True, "service healthy"), (2, False, 'service unhealthy (responded with "NOT_SERVING")')],
)
async def test_grpc_health(status: int, ok: bool, output: str) -> None:
    async with answering(health_answer(status), wait_for=b"Health/Check") as (port, seen):
        outcome = await grpc.check("127.0.0.1", port, "", 5)
    assert (outcome.ok, outcome.output) == (ok, output)
    assert seen[0].startswith(grpc.PREFACE)


async def test_grpc_of_something_else_fails_in_time() -> None:
    async with answering(b"", wait_for=b"never") as (port, _):
        outcome = await grpc.check("127.0.0.1", port, "s", 0.05)
    assert outcome.output == (
        f'timeout: failed to connect service "127.0.0.1:{port}" within 0.05s: context deadline exceeded'
    )


def exec_probe(**fields: int) -> v1.Probe:
    return v1.Probe(exec=v1.ExecAction(command=["check"]), **fields)


def answers(world: World, code: int, output: bytes = b"") -> None:
    world.runtime.exec_handler = lambda name, cmd: t.ExecSyncResponse(exit_code=code, stdout=output)


async def test_a_pod_is_ready_only_while_its_readiness_probe_succeeds(world: World) -> None:
    answers(world, 1, b"not yet")
    await world.apply(a_pod(containers=[a_container(readiness_probe=exec_probe(period_seconds=5))]))
    assert world.conditions()["Ready"] == "False"
    assert ("Unhealthy", "Readiness probe failed: not yet") in world.recorder.told
    answers(world, 0)
    await world.advance(5)
    assert world.conditions()["Ready"] == "True"
    answers(world, 1)
    await world.advance(10)
    assert world.conditions()["Ready"] == "True"
    await world.advance(5)
    assert world.conditions()["Ready"] == "False"
    condition = next(c for c in world.status().conditions if c.type == "ContainersReady")
    assert condition.message == "containers with unready status: [c]"
    answers(world, 0)
    await world.advance(5)
    condition = next(c for c in world.status().conditions if c.type == "ContainersReady")
    assert (condition.status, condition.reason, condition.message) == ("True", None, None)


async def test_a_failed_liveness_probe_restarts_the_container(world: World) -> None:
    answers(world, 1, b"dead")
    probe = exec_probe(period_seconds=5, failure_threshold=2, termination_grace_period_seconds=7)
    await world.apply(a_pod(containers=[a_container(liveness_probe=probe)]))
    await world.advance(9.9)
    assert world.container().restart_count == 0
    await world.advance(0.2)
    assert ("Killing", "Container c failed liveness probe, will be restarted") in world.recorder.told
    assert world.container().restart_count == 1
    assert [timeout for _, timeout in world.runtime.stops] == [7]


async def test_other_probes_wait_for_the_startup_probe(world: World) -> None:
    calls: list[str] = []

    def handle(name: str, command: list[str]) -> t.ExecSyncResponse:
        calls.append(command[0])
        return t.ExecSyncResponse(exit_code=0 if command[0] != "start" or len(calls) > 1 else 1)

    world.runtime.exec_handler = handle
    startup = v1.Probe(exec=v1.ExecAction(command=["start"]), period_seconds=3)
    ready = v1.Probe(exec=v1.ExecAction(command=["ready"]))
    await world.apply(a_pod(containers=[a_container(startup_probe=startup, readiness_probe=ready)]))
    assert calls == ["start"]
    assert world.container().started is False
    await world.advance(3)
    assert calls == ["start", "start", "ready"]
    assert world.conditions()["Ready"] == "True"


async def test_a_time_out_is_told(world: World) -> None:
    probe = v1.Probe(exec=v1.ExecAction(command=["hang"]), timeout_seconds=2)
    await world.apply(a_pod(containers=[a_container(readiness_probe=probe)]))
    await world.advance(2)
    assert ("Unhealthy", 'Readiness probe failed: command timed out: "hang" timed out after 2s') in world.recorder.told


async def test_initial_delay_counts_from_the_containers_start(world: World) -> None:
    answers(world, 0)
    await world.apply(a_pod(containers=[a_container(readiness_probe=exec_probe(initial_delay_seconds=30))]))
    await world.advance(29)
    assert world.conditions()["Ready"] == "False"
    await world.advance(1.1)
    assert world.conditions()["Ready"] == "True"


async def test_a_new_kubelet_keeps_what_was_ready(world: World) -> None:
    answers(world, 0)
    await world.apply(a_pod(containers=[a_container(readiness_probe=exec_probe())]))
    await world.scope.close()
    answers(world, 1)
    world.restart_kubelet(world.scope)
    world.kubelet.pod_changed(None, world.api.pods["p"])
    await world.settle()
    assert world.conditions()["Ready"] == "True"

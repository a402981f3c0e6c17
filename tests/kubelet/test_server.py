"""The kubelet's server on loopback, over plain HTTP but for one, above workers in memory."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.ports import free_port
from yarl import URL

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.http_server import parse_head
from pybernetes.api.types import authorization_v1
from pybernetes.api.types import core_v1 as v1
from pybernetes.client.reviews import User, user_of_certificate
from pybernetes.cri import types as t
from pybernetes.kubelet.options import Options
from pybernetes.kubelet.server.access import Access, Refused, subresources_of
from pybernetes.kubelet.server.app import KubeletServer, server_tls
from pybernetes.kubelet.server.cadvisor import place_of
from pybernetes.kubelet.volumes.usage import Usages
from pybernetes.telemetry.metrics import Registry

from .world import InlineWorker, World, a_container, a_pod

MASTERS = {"subject": ((("organizationName", "system:masters"),), (("commonName", "admin"),))}


class OpenAccess(Access):
    """Lets everybody in but those who say so."""

    async def check(self, certificate: Any, authorization: str, method: str, path: str) -> None:
        if authorization == "Bearer nobody":
            raise Refused(401, "Unauthorized")


class Reviewer:
    """The API server's answer to reviews."""

    def __init__(self, allowed: bool) -> None:
        self.allowed, self.asked = allowed, 0

    async def create(self, review: Any) -> Any:
        self.asked += 1
        status = authorization_v1.SubjectAccessReviewStatus(allowed=self.allowed)
        return authorization_v1.SubjectAccessReview(spec=review.spec, status=status)


@contextlib.asynccontextmanager
async def serving(world: World, *, secure: bool = False, **changes: Any) -> AsyncIterator[str]:
    options = Options(address="127.0.0.1", port=free_port(), hostname_override="n1", **changes)
    access = OpenAccess(None, world.clock, "n1")  # type: ignore[arg-type]
    async with AsyncExitStack() as stack:
        usages = Usages(world.kubelet.workers, InlineWorker(), None)
        server = KubeletServer(
            world.kubelet, world.runtime, access, options, world.clock, InlineWorker(), Registry(), usages
        )
        await server.listen(stack, world.scope, server_tls(options, datetime.now(UTC)) if secure else None)
        yield f"http{'s' * secure}://127.0.0.1:{options.port}"


async def get(url: str | URL, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.text()


def write_log(world: World, name: str, *texts: str) -> None:
    path = Path(world.runtime.named(name).log_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for text in texts:
            file.write(f"2026-01-01T00:00:00.000000001Z stdout F {text}\n")


async def test_logs_of_this_attempt_and_the_one_before(world: World) -> None:
    await world.apply(a_pod())
    write_log(world, "c", "first", "end")
    world.runtime.exit("c", 1)
    await world.settle()
    write_log(world, "c", "second")
    async with serving(world) as url:
        logs = f"{url}/containerLogs/default/p/c"
        assert await get(logs) == (200, "second\n")
        assert await get(f"{logs}?previous=true&tailLines=1") == (200, "end\n")
        assert await get(f"{logs}?timestamps=true") == (200, "2026-01-01T00:00:00.000000001Z second\n")
        assert await get(f"{logs}?tailLines=x") == (400, "invalid literal for int() with base 10: 'x'")


async def test_logs_that_cannot_be_had_are_told_in_upstreams_words(world: World) -> None:
    await world.apply(a_pod())
    await world.apply(a_pod("q", containers=[a_container("c", image="none:1", image_pull_policy="Never")]))
    async with serving(world) as url:
        assert await get(f"{url}/containerLogs/default/none/c") == (404, "pod does not exist")
        assert await get(f"{url}/containerLogs/default/p/x") == (404, 'container "x" not found in pod "p"')
        assert await get(f"{url}/containerLogs/default/p/c?previous=true") == (
            400, 'previous terminated container "c" in pod "p" not found',
        )  # fmt: skip
        assert await get(f"{url}/containerLogs/default/q/c") == (
            400, 'container "c" in pod "q" is waiting to start: ErrImageNeverPull',
        )  # fmt: skip


async def test_a_followed_log_ends_with_its_container(world: World) -> None:
    await world.apply(a_pod(restart_policy="Never"))
    write_log(world, "c", "one")
    async with serving(world) as url, asyncio.timeout(10), asyncio.TaskGroup() as group:
        follow = group.create_task(get(f"{url}/containerLogs/default/p/c?follow=true"))
        await asyncio.sleep(0.05)
        write_log(world, "c", "two")
        world.runtime.exit("c", 0)
    assert follow.result() == (200, "one\ntwo\n")


async def test_pods_health_and_refusal(world: World) -> None:
    await world.apply(a_pod())
    async with serving(world) as url:
        assert await get(f"{url}/healthz") == (200, "ok")
        assert await get(f"{url}/healthz", Authorization="Bearer nobody") == (401, "Unauthorized")
        status, body = await get(f"{url}/pods")
        assert status == 200
        assert '"name":"p"' in body
        assert '"phase":"Running"' in body
        assert await get(f"{url}/pods", Authorization="Bearer nobody") == (401, "Unauthorized")
        assert (await get(f"{url}/none"))[0] == 404


@pytest.mark.parametrize(
    ("path", "subresources"),
    [
        ("/healthz", ["healthz", "proxy"]),
        ("/healthz/ping", ["healthz", "proxy"]),
        ("/pods", ["pods", "proxy"]),
        ("/runningpods/", ["pods", "proxy"]),
        ("/configz", ["configz", "proxy"]),
        ("/flagz", ["configz"]),
        ("/metrics/cadvisor", ["metrics"]),
        ("/stats/summary", ["stats"]),
        ("/logs/", ["log"]),
        ("/containerLogs/default/p/c", ["proxy"]),
        ("/exec/default/p/c", ["proxy"]),
        ("/podsomething", ["proxy"]),
    ],
)
def test_what_opens_a_path(path: str, subresources: list[str]) -> None:
    assert subresources_of(path) == subresources


async def test_a_command_without_a_stream(world: World) -> None:
    world.runtime.exec_handler = lambda name, cmd: t.ExecSyncResponse(stdout=" ".join(cmd).encode())
    await world.apply(a_pod())
    async with (
        serving(world) as url,
        aiohttp.ClientSession() as session,
        session.post(f"{url}/run/default/p/c?cmd=ls+-l") as answer,
    ):
        assert await answer.text() == "ls -l"


async def test_an_upgraded_connection_is_passed_to_the_runtime_byte_for_byte(world: World) -> None:
    seen: list[bytes] = []

    async def runtime_side(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\nhello")
        writer.write(b"got " + await reader.readexactly(4))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    await world.apply(a_pod())
    streaming = await asyncio.start_server(runtime_side, "127.0.0.1", 0)
    port = streaming.sockets[0].getsockname()[1]

    async def offer(request: t.ExecRequest) -> str:
        assert (request.cmd, request.stdin, request.stdout, request.tty) == (["ls", "-l"], True, True, False)
        return f"http://127.0.0.1:{port}/exec/token"

    world.runtime.exec = offer  # type: ignore[method-assign]
    async with streaming, serving(world) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(
            b"POST /exec/default/p/c?command=ls&command=-l&input=1&output=1 HTTP/1.1\r\nHost: n1\r\n"
            b"Authorization: Bearer secret\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nping"
        )
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\r\n\r\nhellogot ping")
    assert seen[0].startswith(b"POST /exec/token HTTP/1.1\r\n")
    assert b"secret" not in seen[0]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/exec/default/none/c?command=x&output=1", "404 Not Found"),
        ("/exec/default/p/c?output=1", "400 Bad Request"),
        ("/exec/default/p/c?command=x", "400 Bad Request"),
        ("/exec/default/p/none?command=x&output=1", "500 Internal Server Error"),
        ("/what", "404 Not Found"),
    ],
)
async def test_streams_that_cannot_be_opened_are_refused_before_any_upgrade(
    world: World, target: str, status: str
) -> None:
    await world.apply(a_pod())
    async with serving(world) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(f"GET {target} HTTP/1.1\r\nHost: n1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(f"HTTP/1.1 {status}\r\n".encode())


def test_heads_are_parsed_strictly() -> None:
    head = parse_head(
        b"GET /exec/a/b%2Fc?x=1&x=2&tty= HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket"
    )
    assert head.path == ["exec", "a", "b/c"]
    assert head.query == {"x": ["1", "2"], "tty": [""]}
    assert head.is_upgrade
    for broken in (b"", b"GET /", b"GET / HTTP/2"):
        with pytest.raises(ValueError, match=r"unpack|protocol"):
            parse_head(broken)


async def test_who_may_ask() -> None:
    reviewer = Reviewer(allowed=False)
    access = Access(reviewer, FakeClock(), "n1")  # type: ignore[arg-type]
    await access.check(MASTERS, "", "GET", "/pods")
    assert reviewer.asked == 0
    with pytest.raises(Refused, match="Unauthorized"):
        await access.check(None, "", "GET", "/pods")
    user = {"subject": ((("commonName", "joe"),),)}
    for _ in range(2):
        with pytest.raises(
            Refused, match=r"Forbidden \(user=joe, verb=create, resource=nodes, subresource\(s\)=\[proxy\]\)"
        ):
            await access.check(user, "", "POST", "/exec/default/p/c")
    assert reviewer.asked == 1
    assert user_of_certificate(MASTERS) == User("admin", ("system:masters",))


async def test_the_nodes_log_directory_is_shown(world: World, tmp_path: Path) -> None:
    logs = tmp_path / "log"
    (logs / "pods" / "a:b").mkdir(parents=True)
    (logs / "kubelet.log").write_text("began\n")
    (logs / "same").symlink_to("kubelet.log")
    async with serving(world, pod_logs_dir=str(logs / "pods")) as url:
        status, page = await get(f"{url}/logs/")
        assert status == 200
        assert page.splitlines()[2:] == [
            "<pre>",
            '<a href="kubelet.log">kubelet.log</a>',
            '<a href="pods/">pods/</a>',
            '<a href="same">same</a>',
            "</pre>",
        ]
        assert await get(f"{url}/logs/kubelet.log") == (200, "began\n")
        assert await get(f"{url}/logs/same") == (200, "began\n")
        assert (await get(f"{url}/logs/pods"))[1].splitlines()[3] == '<a href="./a%3Ab/">a:b/</a>'
        assert await get(f"{url}/logs/kubelet.log/") == (200, "began\n")
        assert await get(f"{url}/logs/none") == (404, "404 page not found")
        assert (await get(f"{url}/logs/", Authorization="Bearer nobody"))[0] == 401
    async with serving(world, pod_logs_dir=str(logs / "pods"), enable_system_log_handler=False) as url:
        assert await get(f"{url}/logs/kubelet.log") == (405, "logs endpoint is disabled.")


async def test_nothing_in_the_log_directory_leads_out_of_it(world: World, tmp_path: Path) -> None:
    logs = tmp_path / "log"
    logs.mkdir()
    (tmp_path / "secret").write_text("secret")
    (logs / "up").symlink_to("../secret")
    (logs / "absolute").symlink_to(tmp_path / "secret")
    os.mkfifo(logs / "pipe")
    async with serving(world, pod_logs_dir=str(logs / "pods")) as url, asyncio.timeout(10):
        for path in ("up", "absolute", "%2e%2e/secret", "..%2fsecret", "%2e%2e/", "../secret"):
            assert await get(URL(f"{url}/logs/{path}", encoded=True)) == (404, "404 page not found")
        assert await get(f"{url}/logs/pipe") == (403, "403 Forbidden")


async def test_metrics_of_containers_and_probes(world: World) -> None:
    probe = v1.Probe(exec=v1.ExecAction(command=["true"]), period_seconds=1)
    await world.apply(a_pod(containers=[a_container(readiness_probe=probe)]))
    worker = world.kubelet.find("default", "p")
    assert worker is not None
    async with asyncio.timeout(5):
        while not worker.probe_results:
            await world.clock.settle()
    async with serving(world) as url:
        _, resources = await get(f"{url}/metrics/resource")
        started = [line for line in resources.splitlines() if line.startswith("container_start_time_seconds{")]
        assert len(started) == 1
        assert 'namespace="default",pod="p"}' in started[0]
        assert "resource_scrape_error 0" in resources.splitlines()
        _, page = await get(f"{url}/metrics/cadvisor")
        lines = page.splitlines()
        assert "container_scrape_error 0" in lines
        assert any(line.startswith('machine_cpu_cores{boot_id="') for line in lines)
        place = place_of(worker.pod, worker.observed.running, "/root", 1 << 30)
        assert place.cgroup == f"/root/kubepods/besteffort/pod{worker.pod.metadata.uid}"
        assert [known.image for known in place.containers.values()] == [worker.pod.spec.containers[0].image]
        _, probes = await get(f"{url}/metrics/probes")
        assert 'prober_probe_total{probe_type="Readiness",result=' in probes
        assert f'pod="p",namespace="default",pod_uid="{worker.pod.metadata.uid}"}}' in probes


async def test_without_a_certificate_it_makes_its_own(world: World, tmp_path: Path) -> None:
    async with serving(world, secure=True, node_ip="127.0.0.1", cert_dir=str(tmp_path / "pki")) as url:
        trusts = ssl.create_default_context(cafile=str(tmp_path / "pki" / "kubelet.crt"))
        async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz", ssl=trusts) as answer:
            assert await answer.text() == "ok"
    assert (tmp_path / "pki" / "kubelet.key").stat().st_mode & 0o777 == 0o600

"""How a server is looked after: metrics, the end of it, web pages from elsewhere, TLS versions."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.apiserver.inprocess import Server, metrics, server
from tests.etcds import Authority
from tests.ports import free_port

from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.main import run
from pybernetes.apiserver.options import parse

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        yield made


async def test_metrics_have_the_names_that_dashboards_ask_for(api: Server) -> None:
    await api.post(MAPS, {"metadata": {"name": "c"}})
    await api.get(f"{MAPS}/c")
    await api.get(MAPS)
    await api.get(f"{MAPS}/c/made-up-by-a-client")
    patch = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    apply = {"content-type": "application/apply-patch+yaml"}
    await api.call("PATCH", f"{MAPS}/c?fieldManager=me&dryRun=All", patch, headers=apply)
    assert (await api.get("/api/v1/namespaces/default/endpoints")).status == 200
    assert (await api.get("/api", token="nobody's")).status == 401
    assert (await api.get("/api", token="bob")).status == 200
    assert (await api.delete("/api/v1/namespaces/default")).status == 403
    found = await metrics(api)
    of = 'group="",version="v1",resource="configmaps",subresource=""'
    for line in (
        f'apiserver_request_total{{verb="POST",dry_run="",{of},scope="namespace",component="apiserver",code="201"}} 1',
        f'apiserver_request_total{{verb="GET",dry_run="",{of},scope="resource",component="apiserver",code="200"}} 1',
        f'apiserver_request_total{{verb="LIST",dry_run="",{of},scope="namespace",component="apiserver",code="200"}} 1',
        f'apiserver_request_total{{verb="APPLY",dry_run="All",{of},scope="resource",component="apiserver",code="200"}} 1',
        f'apiserver_request_duration_seconds_count{{verb="LIST",dry_run="",{of},scope="namespace",component="apiserver"}} 1',
        f'apiserver_request_sli_duration_seconds_count{{verb="LIST",{of},scope="namespace",component="apiserver"}} 1',
        'apiserver_storage_objects{resource="configmaps"} 2',
        'etcd_requests_total{operation="create",group="",resource="configmaps"} 2',
        'etcd_request_duration_seconds_count{operation="create",group="",resource="configmaps"} 2',
        'apiserver_storage_events_received_total{group="",resource="configmaps"} 2',
        f'apiserver_response_sizes_bucket{{verb="GET",{of},scope="resource",component="apiserver",le="1000"}} 1',
        'apiserver_authorization_decisions_total{type="RBAC",name="rbac",decision="allowed"} 1',
        'authentication_attempts{result="success"} 10',
        'authenticated_user_requests{username="admin"} 9',
        'authenticated_user_requests{username="other"} 1',
        'authentication_attempts{result="error"} 1',
        'apiserver_requested_deprecated_apis{group="",version="v1",resource="endpoints",subresource="",removed_release=""} 1',
        'apiserver_admission_step_admission_duration_seconds_count{type="admit",operation="DELETE",rejected="true"} 1',
        'apiserver_admission_controller_admission_duration_seconds_count{name="NamespaceLifecycle",type="admit",operation="DELETE",rejected="true"} 1',
        'apiserver_current_inflight_requests{request_kind="readOnly"} 1',
    ):
        assert line in found
    for start in ("process_resident_memory_bytes ", 'apiserver_storage_size_bytes{storage_cluster_id="sqlite"} '):
        assert any(line.startswith(start) and not line.endswith(" 0") for line in found)
    assert not any("made-up" in line for line in found)


async def test_checks_are_told_one_by_one(api: Server) -> None:
    answer = await api.raw("GET", "/readyz?verbose&exclude=shutdown&exclude=none")
    assert isinstance(answer, Response)
    first, *middle, warning, last, _ = bytes(answer.body).decode().split("\n")
    assert (first, last) == ("[+]ping ok", "readyz check passed")
    assert warning == 'warn: some health checks cannot be excluded: no matches for "none"'
    assert {"[+]etcd ok", "[+]informer-sync ok", "[+]shutdown excluded: ok", "[+]autoregister-completion ok"} <= set(
        middle
    )
    assert "[+]poststarthook/start-service-ip-repair-controllers ok" in middle
    assert (await api.raw("GET", "/livez/shutdown")).status == 404


async def test_web_pages_of_allowed_origins_may_ask(tmp_path: Path) -> None:
    async with server(tmp_path, "--cors-allowed-origins=^https://ui[.]test$") as api:
        asked = await api.raw("OPTIONS", MAPS, token="", headers={"origin": "https://ui.test"})
        assert (asked.status, dict(asked.headers)["access-control-allow-origin"]) == (204, "https://ui.test")
        got = dict((await api.raw("GET", MAPS, headers={"origin": "https://ui.test"})).headers)
        assert got["access-control-allow-credentials"] == "true"
        other = dict((await api.raw("GET", MAPS, headers={"origin": "https://ui.test.evil"})).headers)
        assert "access-control-allow-origin" not in other


async def answered(port: int, context: ssl.SSLContext, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    try:
        return (await reader.read()).partition(b"\r\n")[0]
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_a_server_that_ends_is_first_not_ready(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, port = authority.sign("server"), free_port()
    options = parse([
        f"--secure-port={port}", f"--tls-cert-file={pair.certificate}", f"--tls-private-key-file={pair.key}",
        "--tls-min-version=VersionTLS13", "--shutdown-delay-duration=20s",
    ])  # fmt: skip
    ready = asyncio.Event()
    running = asyncio.ensure_future(run(options, ready=ready.set))
    await ready.wait()
    trusting = ssl.create_default_context(cafile=str(authority.file))
    assert await answered(port, trusting, "/readyz") == b"HTTP/1.1 200 OK"
    old = ssl.create_default_context(cafile=str(authority.file))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError):  # noqa: PT011  # an alert or a reset, whichever is read first
        await answered(port, old, "/readyz")
    running.cancel()
    async with asyncio.timeout(10):
        while await answered(port, trusting, "/readyz") != b"HTTP/1.1 500 Internal Server Error":
            await asyncio.sleep(0.01)
    assert await answered(port, trusting, "/livez") == b"HTTP/1.1 200 OK"
    assert not running.done()
    running.cancel()  # a second signal ends it at once
    with pytest.raises(asyncio.CancelledError):
        await running
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_a_version_of_tls_that_is_none() -> None:
    with pytest.raises(ValueError, match='unknown tls version "TLS9"'):
        await run(parse([f"--secure-port={free_port()}", "--tls-min-version=TLS9", "--tls-cert-file=x"]))

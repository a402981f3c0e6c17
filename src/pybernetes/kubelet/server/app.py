"""The routes of the kubelet's server, and its listening socket."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import msgspec
from aiohttp import web

from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import Scope
from pybernetes.aio.threads import Worker
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1
from pybernetes.cri.errors import CRIError
from pybernetes.cri.service import RuntimeService
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.node.machine import read_meminfo
from pybernetes.kubelet.options import Options
from pybernetes.kubelet.pod.worker import PodWorker
from pybernetes.kubelet.server import logs, stats
from pybernetes.kubelet.server.access import Access, Refused
from pybernetes.kubelet.server.front import Front
from pybernetes.kubelet.server.streams import Streams
from pybernetes.telemetry.metrics import Registry

OPEN_PATHS = ("/healthz",)
"""Told to anybody: nothing but that the kubelet lives."""


@dataclass(slots=True)
class KubeletServer:
    """Serves one kubelet until its stack is closed."""

    kubelet: Kubelet
    runtime: RuntimeService
    access: Access
    options: Options
    clock: Clock
    threads: Worker
    metrics: Registry

    async def listen(self, stack: AsyncExitStack, scope: Scope, tls: ssl.SSLContext | None) -> None:
        """Begin to serve; connections end when `stack` is closed. Raises OSError if the port is taken."""
        runner = web.AppRunner(self.application(), access_log=None, handle_signals=False, handler_cancellation=True)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        plain = runner.server
        assert plain is not None
        streams = Streams(lambda: self.kubelet, self.runtime, self.access)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Front(plain, streams.serve, scope), self.options.address, self.options.port, ssl=tls
        )
        stack.callback(server.close)

    def application(self) -> web.Application:
        """The plain routes, each behind the access check."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/healthz", self.healthz),
                web.get("/healthz/ping", self.healthz),
                web.get("/healthz/syncloop", self.healthz),
                web.get("/pods", self.pods),
                web.get("/runningpods/", self.running_pods),
                web.get("/configz", self.configz),
                web.get("/metrics", self.show_metrics),
                web.get("/metrics/resource", self.resource_metrics),
                web.get("/stats/summary", self.stats_summary),
                web.get("/containerLogs/{namespace}/{pod}/{container}", self.container_logs),
                web.post("/run/{namespace}/{pod}/{container}", self.run_command),
            ]
        )
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            if request.path not in OPEN_PATHS:
                certificate = request.transport.get_extra_info("peercert") if request.transport else None
                token = request.headers.get("Authorization", "")
                await self.access.check(certificate, token, request.method, request.path)
            return await handler(request)
        except Refused as error:
            return web.Response(status=error.code, text=str(error))
        except StatusError as error:
            return web.Response(status=500, text=f"Authorization error: {error.message}")
        except CRIError as error:
            return web.Response(status=500, text=str(error))

    def _worker(self, request: web.Request) -> PodWorker:
        worker = self.kubelet.find(request.match_info["namespace"], request.match_info["pod"])
        if worker is None:
            raise web.HTTPNotFound(text="pod does not exist")
        return worker

    async def healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def pods(self, request: web.Request) -> web.Response:
        return _json(v1.PodList(items=[worker.pod for worker in self.kubelet.workers()]))

    async def running_pods(self, request: web.Request) -> web.Response:
        """Pods of which something runs, by what the runtime says."""
        items = [
            v1.Pod(
                metadata=meta_v1.ObjectMeta(
                    name=w.pod.metadata.name, namespace=w.pod.metadata.namespace, uid=w.pod.metadata.uid
                ),
                spec=v1.PodSpec(containers=[v1.Container(name=c.name) for c in w.observed.running]),
            )
            for w in self.kubelet.workers()
            if w.observed.running
        ]
        return _json(v1.PodList(items=items))

    async def configz(self, request: web.Request) -> web.Response:
        tree = msgspec.to_builtins(self.options)
        tree |= {"kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1"}
        return _json({"kubeletconfig": tree})

    async def show_metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=self.metrics.render(), content_type="text/plain")

    async def resource_metrics(self, request: web.Request) -> web.Response:
        found = await self.runtime.list_pod_sandbox_stats()
        return web.Response(text=stats.resource_metrics(found), content_type="text/plain")

    async def stats_summary(self, request: web.Request) -> web.Response:
        memory = read_meminfo()
        node = {
            "availableBytes": memory.get("MemAvailable", 0),
            "usageBytes": memory.get("MemTotal", 0) - memory.get("MemFree", 0),
            "workingSetBytes": memory.get("MemTotal", 0) - memory.get("MemAvailable", 0),
        }
        found = await self.runtime.list_pod_sandbox_stats()
        return _json(stats.summary(self.options.node_name, found, node, self.clock.now().timestamp()))

    async def container_logs(self, request: web.Request) -> web.StreamResponse:
        container = request.match_info["container"]
        return await logs.serve(request, self._worker(request), container, self.clock, self.threads)

    async def run_command(self, request: web.Request) -> web.Response:
        """The output of a command that needs no stream."""
        container = request.match_info["container"]
        attempt = self._worker(request).observed.latest(container)
        if attempt is None or not attempt.is_running:
            raise web.HTTPNotFound(text=f'container not found ("{container}")')
        command = request.query.getall("cmd", [])
        answer = await self.runtime.exec_sync(attempt.id, command[0].split() if len(command) == 1 else command, 0)
        return web.Response(body=answer.stdout + answer.stderr, content_type="text/plain")


def _json(tree: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(tree), content_type="application/json")


def server_tls(options: Options) -> ssl.SSLContext | None:
    """TLS by the options' certificate; without one the server speaks plain HTTP, on this machine only.

    Raises OSError, ssl.SSLError.
    """
    if not options.tls_cert_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_cert_file, options.tls_private_key_file or None)
    if options.client_ca_file:
        context.load_verify_locations(options.client_ca_file)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context

"""The routes of the kubelet's server, and its listening socket."""

import asyncio
import logging
import ssl
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.aio.http_server import Answer, Connection, Front, Handler, Request, RequestError, Routes, respond, text
from pybernetes.aio.tasks import Scope
from pybernetes.aio.threads import Worker
from pybernetes.aio.tls import server_context, serving_files
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import meta_v1
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.cri.service import RuntimeService
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.metrics import probe_metrics
from pybernetes.kubelet.node.machine import read_machine, read_meminfo
from pybernetes.kubelet.node.use import cgroup_use, machine_use
from pybernetes.kubelet.options import Options
from pybernetes.kubelet.pod.worker import PodWorker
from pybernetes.kubelet.podspec import uid_of
from pybernetes.kubelet.server import logs, nodelogs, stats
from pybernetes.kubelet.server.access import Access, Refused
from pybernetes.kubelet.server.cadvisor import Machine, cadvisor_metrics, place_of
from pybernetes.kubelet.server.streams import Streams
from pybernetes.kubelet.volumes.usage import Usages
from pybernetes.telemetry.metrics import CONTENT_TYPE, Registry

log = logging.getLogger(__name__)


class KubeletServer(Struct):
    """Serves one kubelet until its stack is closed."""

    kubelet: Kubelet
    runtime: RuntimeService
    access: Access
    options: Options
    clock: Clock
    threads: Worker
    metrics: Registry
    usages: Usages

    async def listen(self, stack: AsyncExitStack, scope: Scope, tls: ssl.SSLContext | None) -> None:
        """Begin to serve; connections end when `stack` is closed. Raises OSError if the port is taken."""
        routes = Routes(self._routes())
        streams = Streams(lambda: self.kubelet, self.runtime, self.access)

        async def serve(connection: Connection) -> None:
            if connection.head.is_upgrade:
                await streams.serve(connection)
            else:
                await respond(connection, self._answer(connection, routes))

        server = await asyncio.get_running_loop().create_server(
            lambda: Front(serve, scope), self.options.address, self.options.port, ssl=tls
        )
        stack.callback(server.close)

    async def _answer(self, connection: Connection, routes: Routes) -> Answer:
        """Behind the access check. Raises RequestError."""
        head = connection.head
        path = head.target.partition("?")[0]
        try:
            certificate = connection.writer.get_extra_info("peercert")
            await self.access.check(certificate, head.header("authorization"), head.method, path)
            return await routes.answer(head)
        except Refused as error:
            raise RequestError(error.code, str(error)) from error
        except StatusError as error:
            raise RequestError(500, f"Authorization error: {error.message}") from error
        except CRIError as error:
            raise RequestError(500, str(error)) from error

    def _routes(self) -> dict[str, Handler]:
        return {
            "GET /healthz": self.healthz,
            "GET /healthz/ping": self.healthz,
            "GET /healthz/syncloop": self.healthz,
            "GET /pods": self.pods,
            "GET /runningpods": self.running_pods,
            "GET /configz": self.configz,
            "GET /metrics": self.show_metrics,
            "GET /metrics/cadvisor": self.cadvisor_metrics,
            "GET /metrics/probes": self.probe_metrics,
            "GET /metrics/resource": self.resource_metrics,
            "GET /stats/summary": self.stats_summary,
            "GET /containerLogs/{namespace}/{pod}/{container}": self.container_logs,
            "GET /logs/{path...}": self.node_logs,
            "POST /run/{namespace}/{pod}/{container}": self.run_command,
        }

    def _worker(self, request: Request) -> PodWorker:
        worker = self.kubelet.find(request.names["namespace"], request.names["pod"])
        if worker is None:
            raise RequestError(404, "pod does not exist")
        return worker

    async def healthz(self, request: Request) -> Answer:
        return text("ok")

    async def pods(self, request: Request) -> Answer:
        return _json(v1.PodList(items=[worker.pod for worker in self.kubelet.workers()]))

    async def running_pods(self, request: Request) -> Answer:
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

    async def configz(self, request: Request) -> Answer:
        tree = msgspec.to_builtins(self.options)
        tree |= {"kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1"}
        return _json({"kubeletconfig": tree})

    async def show_metrics(self, request: Request) -> Answer:
        await self.usages.look()
        return _metrics(self.metrics.render())

    async def resource_metrics(self, request: Request) -> Answer:
        try:
            found, failed = await self.runtime.list_pod_sandbox_stats(), False
        except CRIError as error:
            log.warning("use of pods is not known error=%s", error)
            found, failed = [], True
        use = cgroup_use(self.options.cgroup_root) if self.options.shares_machine else machine_use()
        node = stats.NodeUse(use.cpu_seconds, use.working_set, self.clock.now().timestamp())
        started = [
            (worker.pod.metadata.namespace or "", worker.pod.metadata.name or "", one.name, one.status.started_at)
            for worker in self.kubelet.workers()
            for one in worker.observed.running
        ]
        told = stats.resource_metrics(found, node) + stats.start_times(started) + stats.scrape_error(failed)
        return _metrics(told)

    async def cadvisor_metrics(self, request: Request) -> Answer:
        found: list[t.PodSandboxStats] | None = None
        try:
            found = await self.runtime.list_pod_sandbox_stats()
        except CRIError as error:
            log.warning("use of pods is not known error=%s", error)
        read = read_machine(Path(self.options.root_dir))
        labels = {"boot_id": read.boot_id, "machine_id": read.machine_id, "system_uuid": read.system_uuid}
        machine = Machine(read.cpus, read.memory_bytes, labels)
        places = {
            uid_of(worker.pod): place_of(
                worker.pod, worker.observed.running, self.options.cgroup_root, read.memory_bytes
            )
            for worker in self.kubelet.workers()
        }
        return _metrics(cadvisor_metrics(found, places, machine, self.clock.now().timestamp()))

    async def probe_metrics(self, request: Request) -> Answer:
        return _metrics(probe_metrics(self.kubelet).render())

    async def stats_summary(self, request: Request) -> Answer:
        memory = read_meminfo()
        node = {
            "availableBytes": memory.get("MemAvailable", 0),
            "usageBytes": memory.get("MemTotal", 0) - memory.get("MemFree", 0),
            "workingSetBytes": memory.get("MemTotal", 0) - memory.get("MemAvailable", 0),
        }
        found, volumes = await self.runtime.list_pod_sandbox_stats(), await self.usages.look()
        return _json(stats.summary(self.options.node_name, found, node, self.clock.now().timestamp(), volumes))

    async def container_logs(self, request: Request) -> Answer:
        return logs.serve(request, self._worker(request), self.clock, self.threads)

    async def node_logs(self, request: Request) -> Answer:
        if not self.options.enable_system_log_handler:
            raise RequestError(405, "logs endpoint is disabled.")
        directory = Path(self.options.pod_logs_dir).parent
        return await nodelogs.serve(request, directory, self.threads)

    async def run_command(self, request: Request) -> Answer:
        """The output of a command that needs no stream."""
        container = request.names["container"]
        attempt = self._worker(request).observed.latest(container)
        if attempt is None or not attempt.is_running:
            raise RequestError(404, f'container not found ("{container}")')
        command = request.head.query.get("cmd", [])
        answer = await self.runtime.exec_sync(attempt.id, command[0].split() if len(command) == 1 else command, 0)
        return Answer(answer.stdout + answer.stderr, "text/plain")


def _metrics(told: str) -> Answer:
    return Answer(told.encode(), CONTENT_TYPE)


def _json(tree: object) -> Answer:
    return Answer(msgspec.json.encode(tree), "application/json")


def server_tls(options: Options, now: datetime) -> ssl.SSLContext:
    """TLS by the options' certificate, or by a self-signed one of this node. Raises OSError, ssl.SSLError."""
    hosts = options.node_name, options.node_ip, "localhost", "127.0.0.1"
    given = options.tls_cert_file, options.tls_private_key_file
    files = serving_files(*given, Path(options.cert_dir), "kubelet", hosts, now)
    return server_context(*files, options.client_ca_file)

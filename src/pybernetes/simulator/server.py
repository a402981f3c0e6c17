"""One server for the kubelets of all simulated nodes: logs, exec, attach, port-forward, metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AsyncExitStack
from functools import partial
from math import inf
from typing import Final

import msgspec

from pybernetes.aio.clock import Clock
from pybernetes.aio.http_server import (
    Answer,
    Connection,
    Front,
    Handler,
    Head,
    Request,
    RequestError,
    Routes,
    respond,
    send,
    text,
)
from pybernetes.aio.tasks import Scope
from pybernetes.aio.tls import organizations, server_context
from pybernetes.simulator import sessions, usage
from pybernetes.simulator.course import Step
from pybernetes.simulator.logs import USUAL, Log, Selection
from pybernetes.simulator.options import Options
from pybernetes.simulator.pods import Entry, Pods
from pybernetes.streaming import http, upgrade
from pybernetes.streaming.command import Wanted

log = logging.getLogger(__name__)

MASTERS: Final = "system:masters"
RUNNING: Final = (Step.RUNNING, Step.STOPPING)


class Server:
    """Answers the API server and nobody else: who may what has been decided there."""

    def __init__(self, clock: Clock, scope: Scope) -> None:
        self._clock, self._scope = clock, scope
        self._pods: Pods | None = None
        self._routes = Routes(self._handlers())

    async def listen(self, options: Options, stack: AsyncExitStack) -> int:
        """Begin to serve, until the stack is closed; the port. Another one than wanted if that is taken."""
        tls = server_context(options.tls_cert_file, options.tls_private_key_file, options.client_ca_file)
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(self._front, options.address, options.port, ssl=tls)
        except OSError as error:
            log.warning("port is taken, using another one port=%d error=%s", options.port, error)
            server = await loop.create_server(self._front, options.address, 0, ssl=tls)
        stack.callback(server.close)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def serve(self, pods: Pods) -> None:
        """From now on there is something to tell."""
        self._pods = pods

    def _front(self) -> Front:
        return Front(self._connected, self._scope)

    async def _connected(self, connection: Connection) -> None:
        if connection.head.is_upgrade:
            await self._stream(connection)
        else:
            await respond(connection, self._answer(connection))

    async def _answer(self, connection: Connection) -> Answer:
        self._check(connection)
        return await self._routes.answer(connection.head)

    def _check(self, connection: Connection) -> None:
        certificate = connection.writer.get_extra_info("peercert")
        if connection.head.target.partition("?")[0] == "/healthz":
            return
        if not certificate:
            raise RequestError(401, "Unauthorized")
        if MASTERS not in organizations(certificate):
            raise RequestError(403, "Forbidden: simulated nodes answer the API server alone")

    def _handlers(self) -> dict[str, Handler]:
        return {
            "GET /healthz": self._healthz,
            "GET /pods": self._list_pods,
            "GET /metrics/resource": self._metrics,
            "GET /nodes/{node}/metrics/resource": self._metrics,
            "GET /containerLogs/{namespace}/{pod}/{container}": self._logs,
        }

    # Finding.

    @property
    def _table(self) -> Pods:
        if self._pods is None:
            raise RequestError(503, "the simulator is starting")
        return self._pods

    def _entry(self, namespace: str, pod: str) -> Entry:
        entry = self._table.get(namespace, pod)
        if entry is None:
            raise RequestError(404, "pod does not exist")
        return entry

    def _running(self, namespace: str, pod: str, container: str) -> Entry:
        entry = self._entry(namespace, pod)
        known = [each.name for each in (*entry.pod.spec.containers, *entry.pod.spec.init_containers)]
        if entry.course is None or entry.course.step not in RUNNING or container not in known:
            raise RequestError(500, f'container not found ("{container}")')
        return entry

    # Answers.

    async def _healthz(self, request: Request) -> Answer:
        return text("ok")

    async def _list_pods(self, request: Request) -> Answer:
        items = [
            {"metadata": {"name": name, "namespace": namespace}} for namespace, name in map(_key, self._table.all())
        ]
        body = msgspec.json.encode({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})
        return Answer(body, "application/json")

    async def _metrics(self, request: Request) -> Answer:
        now = round(self._clock.now().timestamp(), 3)  # as exact as the answer tells it
        node = request.names.get("node")
        entries = self._table.of_node(node) if node else self._table.all()
        return text(usage.resource_metrics(_uses(entries, now), now))

    async def _logs(self, request: Request) -> Answer:
        entry = self._entry(request.names["namespace"], request.names["pod"])
        try:
            selection = Selection.of(request.query, self._clock.now().timestamp())
        except ValueError as error:
            raise RequestError(400, str(error)) from error
        previous = request.query.get("previous", "").lower() in ("1", "true")
        written, ended = _log_of(entry, request.names["container"], previous)
        until = min(ended, self._clock.now().timestamp())
        first = written.first(selection, until)
        if request.query.get("follow", "").lower() in ("1", "true"):
            return Answer(self._follow(entry, written, first, selection.timestamps), "text/plain")
        body = b"".join(written.text(first, until, timestamps=selection.timestamps))
        return Answer(body[: selection.limit], "text/plain")

    async def _follow(self, entry: Entry, written: Log, first: int, timestamps: bool) -> AsyncGenerator[bytes, None]:
        """Lines as they come, until the container ends."""
        while True:
            over = entry.course is None or entry.course.step not in RUNNING or entry.course.started != written.began
            now = self._clock.now().timestamp()
            until = _end_of(entry, written.began, now) if over else now
            for line in written.text(first, until, timestamps=timestamps):
                first += 1
                yield line
            if over or self._table.get(*entry.pod.key) is not entry:
                return
            moment = written.moment(first)
            await self._changed(None if moment == inf else max(0.0, moment - now))

    async def _changed(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._table.changed.wait()
        except TimeoutError:
            return

    # Streams.

    async def _stream(self, connection: Connection) -> None:
        try:
            self._check(connection)
            offer = self._offer(connection.head)
        except RequestError as error:
            await send(connection, text(str(error), error.code))
            return
        headers = {name.lower(): value for name, value in connection.head.headers}
        path, query = connection.head.target.partition("?")[0], connection.head.query
        head = http.Head(connection.head.method, path, query, headers)
        await upgrade.serve(head, offer, connection.reader, connection.writer)

    def _offer(self, head: Head) -> upgrade.Offer:
        """What the request asks for. Raises RequestError."""
        match head.path:
            case ["exec", namespace, pod, container]:
                entry, command = self._running(namespace, pod, container), head.query.get("command", [])
                if not command:
                    raise RequestError(400, "you must specify a command for the container")
                wanted, answers = _wanted(head), self._behaviour(entry)
                return upgrade.Command(wanted, partial(sessions.run_command, command, answers, pod, wanted.tty))
            case ["attach", namespace, pod, container]:
                entry = self._running(namespace, pod, container)
                return upgrade.Command(_wanted(head), partial(sessions.show_log, partial(self._live, entry, container)))
            case ["portForward", namespace, pod]:
                entry = self._entry(namespace, pod)
                if entry.course is None or entry.course.step not in RUNNING:
                    raise RequestError(500, "failed to find sandbox for port forward")
                ports = [
                    int(port) for texts in head.query.get("port", []) for port in texts.split(",") if port.isdigit()
                ]
                return upgrade.Ports(ports, sessions.door(namespace, pod, self._scope))
        raise RequestError(404, "404 page not found")

    def _behaviour(self, entry: Entry) -> dict[str, str]:
        return dict(entry.course.behaviour.exec) if entry.course else {}

    def _live(self, entry: Entry, container: str) -> AsyncIterator[bytes]:
        written, _ = _log_of(entry, container, previous=False)
        return self._follow(entry, written, written.count(self._clock.now().timestamp()), timestamps=False)


def _key(entry: Entry) -> tuple[str, str]:
    return entry.pod.key


def _wanted(head: Head) -> Wanted:
    def is_set(*names: str) -> bool:
        return any(head.query.get(name, ["0"])[0].lower() in ("1", "true") for name in names)

    tty = is_set("tty")
    return Wanted(is_set("input", "stdin"), is_set("output", "stdout"), is_set("error", "stderr") and not tty, tty)


def _log_of(entry: Entry, container: str, previous: bool) -> tuple[Log, float]:
    """The log that is meant, and when it ended. Raises RequestError in a kubelet's words."""
    pod, course = entry.pod, entry.course
    names = [each.name for each in (*pod.spec.containers, *pod.spec.init_containers)]
    if container not in names:
        raise RequestError(404, f'container "{container}" not found in pod "{pod.metadata.name}"')
    if course is None or not course.started:
        reason = (course.reason if course else "") or "ContainerCreating"
        if reason in ("ErrImagePull", "ImagePullBackOff"):
            reason = "trying and failing to pull image"
        raise RequestError(400, f'container "{container}" in pod "{pod.metadata.name}" is waiting to start: {reason}')
    logs, meta = course.behaviour.logs or USUAL, pod.metadata
    values = {"pod": meta.name, "namespace": meta.namespace, "container": container, "node": pod.spec.node_name}
    if previous:
        before = course.previous
        if before is None:
            words = f'previous terminated container "{container}" in pod "{pod.metadata.name}" not found'
            raise RequestError(400, words)
        return Log(logs, before.started, values), before.finished
    return Log(logs, course.started, values), _end_of(entry, course.started, inf)


def _end_of(entry: Entry, began: float, otherwise: float) -> float:
    """When the attempt ended that began then."""
    ended = entry.course.exit if entry.course else None
    return ended.finished if ended is not None and ended.started == began else otherwise


def _uses(entries: Iterable[Entry], now: float) -> Iterable[usage.Use]:
    for entry in entries:
        course = entry.course
        if course is None or course.step not in RUNNING:
            continue
        entry.settle(now)
        meta = entry.pod.metadata
        for container in entry.pod.spec.containers:
            counter = entry.cpu[container.name]
            size = usage.memory(container, course.behaviour)
            yield usage.Use(meta.namespace, meta.name, container.name, counter.seconds, size)

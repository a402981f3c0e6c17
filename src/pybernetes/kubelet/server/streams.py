"""exec, attach and port-forward: the runtime's streaming server is found, then bytes are passed both ways."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from pybernetes.aio.http_server import Connection, Head, RequestError
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, NotFoundError
from pybernetes.cri.service import RuntimeService
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.server.access import Access, Refused
from pybernetes.wire.channels import parse_port

CHUNK = 64 * 1024


class Streams:
    """Serves upgraded connections."""

    def __init__(self, kubelet: Callable[[], Kubelet], runtime: RuntimeService, access: Access) -> None:
        self._kubelet, self._runtime, self._access = kubelet, runtime, access

    async def serve(self, connection: Connection) -> None:
        """One connection to its end. Refusals are answered as plain text."""
        head = connection.head
        certificate = connection.writer.get_extra_info("peercert")
        try:
            await self._access.check(certificate, head.header("authorization"), "POST", head.target)
            url = await self._open(head)
        except (Refused, RequestError, StatusError) as error:
            await _refuse(connection, error.code, str(error))
        except NotFoundError as error:
            await _refuse(connection, 404, str(error))
        except CRIError as error:
            await _refuse(connection, 500, str(error))
        else:
            await _pass_on(connection, url)

    async def _open(self, head: Head) -> str:
        """The runtime's URL for what the request asks. Raises RequestError, CRIError."""
        match head.path:
            case ["exec" | "attach" as verb, namespace, pod, container]:
                return await self._open_container(verb, head, (namespace, pod, ""), container)
            case ["exec" | "attach" as verb, namespace, pod, uid, container]:
                return await self._open_container(verb, head, (namespace, pod, uid), container)
            case ["portForward", namespace, pod]:
                return await self._open_ports(head, (namespace, pod, ""))
            case ["portForward", namespace, pod, uid]:
                return await self._open_ports(head, (namespace, pod, uid))
        raise RequestError(404, "404 page not found")

    async def _open_container(self, verb: str, head: Head, pod: tuple[str, str, str], container: str) -> str:
        worker = self._kubelet().find(*pod)
        if worker is None:
            raise RequestError(404, "pod does not exist")
        attempt = worker.observed.latest(container)
        if attempt is None or not attempt.is_running:
            raise RequestError(500, _no_container(verb, worker.pod, container))
        tty = _flag(head, "tty")
        stdin, stdout = _flag(head, "input") or _flag(head, "stdin"), _flag(head, "output") or _flag(head, "stdout")
        stderr = (_flag(head, "error") or _flag(head, "stderr")) and not tty
        if not (stdin or stdout or stderr):
            raise RequestError(400, "you must specify at least 1 of stdin, stdout, stderr")
        if verb == "attach":
            return await self._runtime.attach(
                t.AttachRequest(container_id=attempt.id, stdin=stdin, tty=tty, stdout=stdout, stderr=stderr)
            )
        command = head.query.get("command", [])
        if not command:
            raise RequestError(400, "you must specify a command for the container")
        return await self._runtime.exec(
            t.ExecRequest(container_id=attempt.id, cmd=command, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr)
        )

    async def _open_ports(self, head: Head, pod: tuple[str, str, str]) -> str:
        worker = self._kubelet().find(*pod)
        if worker is None:
            raise RequestError(404, "pod does not exist")
        sandbox = worker.observed.ready_sandbox
        if sandbox is None:
            raise RequestError(500, "failed to find sandbox for port forward")
        texts = [part for text in head.query.get("port", []) for part in text.split(",")]
        ports = [port for text in texts if (port := parse_port(text)) is not None]
        return await self._runtime.port_forward(t.PortForwardRequest(pod_sandbox_id=sandbox.id, port=ports))


def _no_container(verb: str, pod: v1.Pod, name: str) -> str:
    """The words that kubectl shows; upstream's kubelet has others for either verb."""
    if verb == "attach":
        return f"container {name} not found in pod {pod.metadata.name}_{pod.metadata.namespace}"
    return f'container not found ("{name}")'


def _flag(head: Head, name: str) -> bool:
    return head.query.get(name, ["0"])[0].lower() in ("1", "true")


async def _refuse(connection: Connection, code: int, message: str) -> None:
    body = message.encode()
    phrase = HTTPStatus(code).phrase
    lines = f"HTTP/1.1 {code} {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    connection.writer.write(f"{lines}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    await connection.writer.drain()


async def dial(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """Connect to a streaming URL: `http://host:port/path`, or `unix:///socket:/path`. Raises OSError."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        socket, _, path = parts.path.partition(":")
        reader, writer = await asyncio.open_unix_connection(socket)
    else:
        path = parts.path
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    return reader, writer, f"{path}?{parts.query}" if parts.query else path


async def _pass_on(connection: Connection, url: str) -> None:
    """Forward the head, then everything, until either side ends; what the other still has to say is passed on."""
    try:
        reader, writer, path = await dial(url)
    except OSError as error:
        await _refuse(connection, 502, f"cannot reach the runtime's streaming server: {error}")
        return
    head = connection.head
    lines = [f"{head.method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in head.headers if name.lower() not in ("host", "authorization")]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    try:
        async with asyncio.TaskGroup() as group:
            upward = group.create_task(_pump(connection.reader, writer))
            await _pump(reader, connection.writer)
            upward.cancel()
    finally:
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

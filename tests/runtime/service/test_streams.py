"""Exec, attach and port-forward over both transports, against containers."""

import asyncio
import contextlib
import json
import socket

import pytest

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, InvalidError
from pybernetes.cri.testsuite import Lab, Pod
from pybernetes.runtime.service.streams import in_turn
from pybernetes.wire import spdy
from pybernetes.wire import websocket as ws
from pybernetes.wire.channels import PORT_FORWARD_TUNNEL, V4, V5, Channel

from .stream_clients import SpdyClient, WebSocketClient

GET = b"GET /p HTTP/1.0\r\n\r\n"


async def exec_url(lab: Lab, container: str, *command: str, stdin: bool = False, tty: bool = False) -> str:
    request = t.ExecRequest(
        container_id=container, cmd=list(command), stdin=stdin, stdout=True, stderr=not tty, tty=tty
    )
    return await lab.runtime.exec(request)


@pytest.fixture
async def pod(lab: Lab) -> Pod:
    return await lab.run_pod()


@pytest.fixture
async def container(lab: Lab, pod: Pod) -> str:
    return await pod.start(lab.container("sleep", "1000"))


@pytest.mark.parametrize("protocol", [V5, V4])
async def test_exec_tells_output_and_exit_code(lab: Lab, container: str, protocol: str) -> None:
    client = await WebSocketClient.open(
        await exec_url(lab, container, "sh", "-c", "echo out; echo err >&2; exit 7"), protocol
    )
    assert f"Sec-WebSocket-Protocol: {protocol}" in client.head
    status = await client.finish()
    assert (client.text(Channel.STDOUT), client.text(Channel.STDERR)) == ("out\n", "err\n")
    assert (status["status"], status["reason"]) == ("Failure", "NonZeroExitCode")
    assert status["details"] == {"causes": [{"reason": "ExitCode", "message": "7"}]}


async def test_exec_input_ends_with_version_5(lab: Lab, container: str) -> None:
    client = await WebSocketClient.open(await exec_url(lab, container, "wc", "-c", stdin=True), V5)
    client.send(Channel.STDIN, b"x" * 100_000)
    client.send(Channel.CLOSE, bytes((Channel.STDIN,)))
    assert (await client.finish())["status"] == "Success"
    assert client.text(Channel.STDOUT) == "100000\n"


async def test_exec_terminal_with_resize(lab: Lab, container: str) -> None:
    client = await WebSocketClient.open(await exec_url(lab, container, "sh", stdin=True, tty=True), V5)
    client.send(Channel.RESIZE, json.dumps({"Width": 91, "Height": 37}).encode())
    await client.until(Channel.STDOUT, b"#")
    client.send(Channel.STDIN, b"stty size; tty; exit 9\n")
    status = await client.finish()
    assert "37 91" in client.text(Channel.STDOUT)
    assert "/dev/pts/" in client.text(Channel.STDOUT)
    assert status["reason"] == "NonZeroExitCode"


async def test_exec_of_missing_command_tells_why(lab: Lab, container: str) -> None:
    status = await (await WebSocketClient.open(await exec_url(lab, container, "nope"), V5)).finish()
    assert (status["reason"], status["code"]) == ("InternalError", 500)
    assert 'exec: "nope": executable file not found in $PATH' in str(status["message"])


async def test_exec_over_spdy(lab: Lab, container: str) -> None:
    client = await SpdyClient.open(
        await exec_url(lab, container, "sh", "-c", "cat; echo err >&2; exit 3", stdin=True), V4
    )
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io" in client.head
    error, stdin, stdout, stderr = (client.stream(streamType=kind) for kind in ("error", "stdin", "stdout", "stderr"))
    client.send(stdin, b"hello " * 20_000, fin=True)
    await client.wait_ended(error, stdout, stderr)
    assert client.text(stdout) == "hello " * 20_000
    assert client.text(stderr) == "err\n"
    assert json.loads(client.text(error))["details"]["causes"][0]["message"] == "3"
    client.writer.close()


async def test_a_slow_client_gets_all_output(lab: Lab, container: str) -> None:
    command = ("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; exit 0")
    client = await WebSocketClient.open(await exec_url(lab, container, *command), V5)
    await asyncio.sleep(2.5)
    assert (await client.finish())["status"] == "Success"
    assert len(client.text(Channel.STDOUT)) == 3_000_000


async def test_what_holds_the_output_open_is_not_waited_for(lab: Lab, container: str) -> None:
    client = await WebSocketClient.open(await exec_url(lab, container, "sh", "-c", "sleep 1000 & echo out"), V5)
    assert (await client.finish())["status"] == "Success"
    assert client.text(Channel.STDOUT) == "out\n"


async def test_a_stream_is_taken_once(lab: Lab, container: str) -> None:
    url = await exec_url(lab, container, "true")
    await (await WebSocketClient.open(url, V5)).finish()
    again = await WebSocketClient.open(url, V5)
    assert again.head.startswith("HTTP/1.1 404")
    again.writer.close()


async def test_unknown_protocol_is_refused(lab: Lab, container: str) -> None:
    client = await WebSocketClient.open(await exec_url(lab, container, "true"), "v9.channel.k8s.io")
    assert client.head.startswith("HTTP/1.1 400")
    client.writer.close()


async def test_leaving_ends_the_command(lab: Lab, pod: Pod, container: str) -> None:
    client = await WebSocketClient.open(await exec_url(lab, container, "sh", "-c", "echo up; sleep 4321"), V5)
    await client.until(Channel.STDOUT, b"up")
    client.writer.close()
    for _ in range(100):
        seen = await lab.runtime.exec_sync(container, ["ps", "-o", "args"], 10)
        if b"echo up" not in seen.stdout:
            return
    pytest.fail("the command runs on")


async def test_requests_that_make_no_sense(lab: Lab, container: str) -> None:
    with pytest.raises(InvalidError):
        await lab.runtime.exec(t.ExecRequest(container_id=container, cmd=["true"]))
    with pytest.raises(InvalidError):
        await lab.runtime.attach(t.AttachRequest(container_id=container, stdout=True, stderr=True, tty=True))
    await lab.runtime.stop_container(container, 0)
    with pytest.raises(CRIError):
        await exec_url(lab, container, "true")


async def test_attach_with_input_once(lab: Lab, pod: Pod) -> None:
    container = await pod.start(lab.container("sh", "-c", "cat; echo done", stdin=True, stdin_once=True))
    url = await lab.runtime.attach(t.AttachRequest(container_id=container, stdin=True, stdout=True, stderr=True))
    client = await WebSocketClient.open(url, V5)
    client.send(Channel.STDIN, b"over\n")
    await client.until(Channel.STDOUT, b"over\n")
    client.send(Channel.CLOSE, bytes((Channel.STDIN,)))
    assert (await client.finish())["status"] == "Success"
    assert client.text(Channel.STDOUT) == "over\ndone\n"
    assert (await lab.ended(container)).exit_code == 0


async def test_attach_to_a_terminal(lab: Lab, pod: Pod) -> None:
    container = await pod.start(lab.container("sh", stdin=True, tty=True))
    url = await lab.runtime.attach(t.AttachRequest(container_id=container, stdin=True, stdout=True, tty=True))
    client = await WebSocketClient.open(url, V5)
    client.send(Channel.RESIZE, json.dumps({"Width": 100, "Height": 50}).encode())
    client.send(Channel.STDIN, b"stty size; exit 4\n")
    await client.finish()
    assert "50 100" in client.text(Channel.STDOUT)
    assert (await lab.ended(container)).exit_code == 4


@pytest.fixture
async def web(lab: Lab, pod: Pod) -> Pod:
    """An HTTP server on port 80 of the loopback alone; `GET /p` is answered with `pong`."""
    script = "mkdir /www; echo pong > /www/p; exec httpd -f -p 127.0.0.1:80 -h /www"
    container = await pod.start(lab.container("sh", "-c", script))
    for _ in range(100):
        listening = await lab.runtime.exec_sync(container, ["grep", "0100007F:0050", "/proc/net/tcp"], 10)
        if listening.exit_code == 0:
            return pod
    pytest.fail("nothing listens")


async def test_port_forward_over_spdy(lab: Lab, web: Pod) -> None:
    url = await lab.runtime.port_forward(t.PortForwardRequest(pod_sandbox_id=web.id))
    client = await SpdyClient.open(url, "portforward.k8s.io")
    error = client.stream(streamType="error", port="80", requestID="0")
    data = client.stream(streamType="data", port="80", requestID="0")
    client.send(data, GET)
    await client.wait_ended(error, data)
    assert client.text(error) == ""
    assert client.text(data).endswith("\r\n\r\npong\n")
    client.writer.close()


async def test_port_forward_to_a_closed_port(lab: Lab, pod: Pod) -> None:
    url = await lab.runtime.port_forward(t.PortForwardRequest(pod_sandbox_id=pod.id))
    client = await SpdyClient.open(url, "portforward.k8s.io")
    error = client.stream(streamType="error", port="81", requestID="0")
    client.stream(streamType="data", port="81", requestID="0")
    await client.wait_ended(error)
    assert "failed to connect to localhost:81 inside namespace" in client.text(error)
    assert "IPv4: dial tcp4 127.0.0.1:81: connect: connection refused" in client.text(error)
    client.writer.close()


async def test_port_forward_over_websocket_channels(lab: Lab, web: Pod) -> None:
    url = await lab.runtime.port_forward(t.PortForwardRequest(pod_sandbox_id=web.id, port=[80]))
    client = await WebSocketClient.open(url, V4)
    client.send(0, GET)
    await client.read_all()
    assert client.received[0].startswith(b"P\0HTTP/1")
    assert client.received[0].endswith(b"pong\n")
    assert client.received[1] == b"P\0"


async def test_port_forward_in_a_tunnel(lab: Lab, web: Pod) -> None:
    url = await lab.runtime.port_forward(t.PortForwardRequest(pod_sandbox_id=web.id, port=[80]))
    client = await WebSocketClient.open(url, PORT_FORWARD_TUNNEL)
    assert f"Sec-WebSocket-Protocol: {PORT_FORWARD_TUNNEL}" in client.head
    inner = spdy.Connection()
    frames = inner.open(1, {"streamType": "error", "port": "80", "requestID": "0"})
    frames += inner.open(3, {"streamType": "data", "port": "80", "requestID": "0"}) + inner.data(3, GET)
    client.writer.write(ws.encode(ws.Opcode.BINARY, frames, mask=True))
    client.raw = True
    events: list[spdy.Event] = []
    while not any(isinstance(event, spdy.Data) and b"pong" in event.data for event in events):
        await client.step()
        events += inner.receive(bytes(client.tunnelled))
        client.tunnelled.clear()
    client.writer.close()


async def test_what_is_sent_to_a_monitor_that_is_slow_waits_its_turn() -> None:
    """Input and a new size of the terminal, while the container reads nothing."""
    ours, monitor = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, monitor:
        ours.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(b"i" * 1024)
                sent += 1
        send = in_turn(ours)
        sending = [asyncio.ensure_future(send(message)) for message in (b"input", b"size")]
        for _ in range(3):
            await asyncio.sleep(0)
        received = [await asyncio.to_thread(monitor.recv, 4096) for _ in range(sent + 2)]
        await asyncio.wait_for(asyncio.gather(*sending), 10)
        assert received[sent:] == [b"input", b"size"]

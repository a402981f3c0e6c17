"""Our client and our server, each against grpcio's and against the other, over real sockets."""

import asyncio
import os
from contextlib import asynccontextmanager

import grpc.aio
import pytest

from pybernetes.aio.grpc.client import Channel
from pybernetes.aio.grpc.errors import Code, GrpcError
from pybernetes.aio.grpc.framing import MAX_MESSAGE
from pybernetes.aio.grpc.listening import listening
from pybernetes.aio.grpc.server import Streaming, Unary

SERVICE = "/test.Echo"


class Text:
    """A message that is its bytes."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data

    def encode(self) -> bytes:
        return self.data

    @classmethod
    def decode(cls, data: bytes) -> "Text":
        if data == b"unreadable":
            raise ValueError("unreadable")
        return cls(data)


class World:
    """What the service does, whoever serves it; `cancelled` tells that a caller has left."""

    def __init__(self) -> None:
        self.began, self.cancelled, self.goes_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def wait(self) -> None:
        self.began.set()
        try:
            await self.goes_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    def methods(self):
        async def echo(text):
            return text

        async def refuse(text):
            raise GrpcError(Code.FAILED_PRECONDITION, text.data.decode())

        async def crash(text):
            raise RuntimeError("out of order")

        async def wait(text):
            await self.wait()
            return text

        async def count(text):
            for number in range(int(text.data)):
                yield Text(b"%d" % number)

        async def repeat(text):
            while True:
                yield text
                await self.wait()

        unary = {"Say": echo, "Refuse": refuse, "Crash": crash, "Wait": wait}
        streams = {"Count": count, "Repeat": repeat}
        return {f"{SERVICE}/{name}": Unary(Text, handle) for name, handle in unary.items()} | {
            f"{SERVICE}/{name}": Streaming(Text, handle) for name, handle in streams.items()
        }


@asynccontextmanager
async def ours(path, world):
    async with listening(path, world.methods):
        yield


@asynccontextmanager
async def theirs(path, world):
    """The same service on grpcio."""
    server = grpc.aio.server()
    codec = {"request_deserializer": Text.decode, "response_serializer": Text.encode}

    def unary(handle):
        async def call(request, context):
            try:
                return await handle(request)
            except GrpcError as error:
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, error.message)

        return grpc.unary_unary_rpc_method_handler(call, **codec)

    def stream(handle):
        async def call(request, context):
            async for each in handle(request):
                yield each

        return grpc.unary_stream_rpc_method_handler(call, **codec)

    made = {
        name.rpartition("/")[2]: (unary if isinstance(method, Unary) else stream)(method.handle)
        for name, method in world.methods().items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", made),))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


@pytest.fixture(params=[ours, theirs])
def serve(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "echo.sock"


@pytest.fixture
async def world(path, serve):
    world = World()
    async with serve(path, world):
        yield world


@pytest.fixture
def channel(path):
    channel = Channel(path)
    yield channel
    channel.close()


async def say(channel, text, method="Say", seconds=10.0):
    return (await channel.call(f"{SERVICE}/{method}", Text(text), Text, seconds)).data


@pytest.mark.parametrize("size", [0, 1, 16384, 65535, 65536, 1 << 20, MAX_MESSAGE - 5])
async def test_messages_of_all_sizes_come_back(world, channel, size):
    text = os.urandom(size)
    assert await say(channel, text) == text
    assert await say(channel, text) == text  # the windows are as wide as before


async def test_calls_at_the_same_time_share_a_connection(world, channel):
    texts = [b"%d" % number for number in range(50)]
    assert await asyncio.gather(*(say(channel, text) for text in texts)) == texts


async def test_a_status_comes_with_its_words(world, channel):
    with pytest.raises(GrpcError) as caught:
        await say(channel, "é 100%\n".encode(), "Refuse")
    assert (caught.value.code, caught.value.message) == (Code.FAILED_PRECONDITION, "é 100%\n")
    assert str(caught.value) == "rpc error: code = FailedPrecondition desc = é 100%\n"


async def test_what_a_server_does_not_serve(world, channel):
    with pytest.raises(GrpcError) as caught:
        await say(channel, b"", "Sing")
    assert caught.value.code == Code.UNIMPLEMENTED


async def test_a_failed_handler_is_an_unknown_error(world, channel):
    with pytest.raises(GrpcError) as caught:
        await say(channel, b"", "Crash")
    assert caught.value.code == Code.UNKNOWN
    assert "out of order" in caught.value.message


async def test_streams_end_where_the_server_ends_them(world, channel):
    async with channel.stream(f"{SERVICE}/Count", Text(b"1000"), Text) as answers:
        assert [int(each.data) async for each in answers] == list(range(1000))


async def test_a_slow_reader_gets_everything(world, channel):
    text = os.urandom(1 << 20)
    async with channel.stream(f"{SERVICE}/Repeat", Text(text), Text) as answers:
        await world.began.wait()
        world.goes_on.set()
        for _ in range(5):
            assert (await anext(answers)).data == text
            await asyncio.sleep(0)
        world.goes_on.clear()


async def test_a_caller_that_leaves_is_noticed(world, channel):
    async with channel.stream(f"{SERVICE}/Repeat", Text(b"on"), Text) as answers:
        assert (await anext(answers)).data == b"on"
        await world.began.wait()
    await world.cancelled.wait()
    assert await say(channel, b"still here") == b"still here"


async def test_a_cancelled_call_is_told(world, channel):
    call = asyncio.ensure_future(say(channel, b"", "Wait"))
    await world.began.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await world.cancelled.wait()


async def test_a_deadline_ends_a_call_on_both_sides(world, channel):
    seconds = 0.05
    while not world.began.is_set():  # on a busy machine it may not even get there
        seconds *= 2
        with pytest.raises(GrpcError) as caught:
            await say(channel, b"", "Wait", seconds)
        assert caught.value.code == Code.DEADLINE_EXCEEDED
    await world.cancelled.wait()


async def test_a_server_that_goes_ends_its_calls_and_its_successor_is_called(path, serve, channel):
    world = World()
    async with serve(path, world):
        call = asyncio.ensure_future(say(channel, b"", "Wait"))
        lost = await channel.connect()
        await world.began.wait()
    with pytest.raises(GrpcError) as caught:
        await call
    assert caught.value.code in (Code.UNAVAILABLE, Code.CANCELLED)
    await lost
    with pytest.raises(GrpcError) as caught:
        await say(channel, b"")
    assert caught.value.code == Code.UNAVAILABLE
    assert "transport: Error while dialing: dial unix" in caught.value.message
    async with serve(path, World()):
        assert await say(channel, b"again") == b"again"


async def test_an_answer_that_is_no_message(world, channel):
    class Strict(Text):
        @classmethod
        def decode(cls, data):
            raise ValueError("not this")

    with pytest.raises(GrpcError) as caught:
        await channel.call(f"{SERVICE}/Say", Text(b"x"), Strict, 10)
    assert caught.value.code == Code.INTERNAL
    assert "not this" in caught.value.message


# Their client, our server


@pytest.fixture
async def their_call(path):
    world = World()
    async with ours(path, world), grpc.aio.insecure_channel(f"unix:{path}") as channel:

        async def call(method, text, seconds=10.0):
            stub = channel.unary_unary(f"{SERVICE}/{method}", Text.encode, Text.decode)
            return (await stub(Text(text), timeout=seconds)).data

        call.world, call.channel = world, channel
        yield call


async def test_their_client_is_answered(their_call):
    text = os.urandom(1 << 20)
    assert await their_call("Say", text) == text
    stub = their_call.channel.unary_stream(f"{SERVICE}/Count", Text.encode, Text.decode)
    assert [int(each.data) async for each in stub(Text(b"100"))] == list(range(100))


@pytest.mark.parametrize(
    ("method", "text", "code", "words"),
    [
        ("Refuse", "nein – é%".encode(), grpc.StatusCode.FAILED_PRECONDITION, "nein – é%"),
        ("Crash", b"", grpc.StatusCode.UNKNOWN, "out of order"),
        ("Sing", b"", grpc.StatusCode.UNIMPLEMENTED, "unknown method Sing for service test.Echo"),
        ("Say", b"unreadable", grpc.StatusCode.INTERNAL, "grpc: error unmarshalling request: unreadable"),
        ("Say", bytes(MAX_MESSAGE + 1), None, f"grpc: received message larger than max ({MAX_MESSAGE + 1} vs"),
    ],
)
async def test_their_client_is_told_what_is_wrong(their_call, method, text, code, words):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await their_call(method, text)
    assert code is None or caught.value.code() == code
    assert code is None or words in caught.value.details()
    assert await their_call("Say", b"still here") == b"still here"


async def test_their_client_has_its_deadline(their_call):
    seconds = 0.05
    while not their_call.world.began.is_set():
        seconds *= 2
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await their_call("Wait", b"", seconds)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await their_call.world.cancelled.wait()


async def test_a_stop_with_grace_lets_calls_end(path):
    """A GOAWAY comes first: calls under way are answered, the next one needs another server."""
    world, channel = World(), Channel(path)
    server = grpc.aio.server()

    async def wait(request, context):
        await world.wait()
        return request

    handler = grpc.unary_unary_rpc_method_handler(wait, Text.decode, Text.encode)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Wait": handler}),))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    call = asyncio.ensure_future(say(channel, b"answered", "Wait"))
    await world.began.wait()
    stopping = asyncio.ensure_future(server.stop(30))
    while not channel._connection.is_leaving:
        await asyncio.sleep(0.01)
    world.goes_on.set()
    assert await call == b"answered"
    await stopping
    channel.close()


async def test_a_server_replaces_what_is_at_its_path_and_removes_only_itself(path):
    path.write_text("left behind")
    async with listening(path, World().methods):
        path.unlink()
        async with listening(path.with_name("other"), World().methods):
            path.with_name("other").rename(path)
    assert path.exists()


async def test_paths_may_be_longer_than_addresses(tmp_path):
    path = tmp_path / ("a" * 100) / "echo.sock"
    path.parent.mkdir()
    async with listening(path, World().methods):
        channel = Channel(path)
        assert await say(channel, b"deep") == b"deep"
        channel.close()


async def test_other_http_2_is_refused(path):
    h2 = pytest.importorskip("h2.connection")
    async with listening(path, World().methods):
        reader, writer = await asyncio.open_unix_connection(path)
        frames = h2.H2Connection()
        frames.initiate_connection()
        head = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "x")]
        frames.send_headers(1, head, end_stream=True)
        writer.write(frames.data_to_send())
        seen = {}
        while ":status" not in seen:
            for event in frames.receive_data(await reader.read(65536)):
                seen |= {name.decode(): value for name, value in getattr(event, "headers", None) or ()}
        assert seen[":status"] == b"415"
        writer.close()


async def test_what_is_no_http_2_is_hung_up_on(path):
    async with listening(path, World().methods):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.read()
        writer.close()

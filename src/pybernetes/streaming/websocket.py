"""Channels over WebSocket."""

from collections.abc import Iterable
from functools import partial

from pybernetes.streaming.channel import Channel, no_close
from pybernetes.streaming.duplex import WebSocket
from pybernetes.wire import channels


class WebSocketChannels:
    """The numbered channels of one WebSocket. `run` moves incoming messages until the client is gone."""

    def __init__(self, socket: WebSocket, codec: channels.Codec, numbers: Iterable[int]) -> None:
        self._socket, self._codec = socket, codec
        self.channels = {number: Channel(partial(self._send, number), no_close) for number in numbers}

    async def _send(self, number: int, data: bytes) -> None:
        await self._socket.send(self._codec.encode(number, data), text=self._codec.is_text)

    async def run(self) -> None:
        try:
            while (message := await self._socket.receive()) is not None:
                await self._take(message.data)
        except channels.ChannelError as error:
            await self._socket.close(1003, str(error))
        finally:
            for channel in self.channels.values():
                channel.cut()

    async def _take(self, message: bytes) -> None:
        """Hand a message to its channel; one for a channel that this stream does not have is dropped."""
        if not message:
            return
        number, data = self._codec.decode(message)
        if number == channels.Channel.CLOSE and self._codec.closes_channels:
            number, data = (data[0] if data else -1), b""
        elif not data:
            return
        if number in self.channels:
            await self.channels[number].feed(data)

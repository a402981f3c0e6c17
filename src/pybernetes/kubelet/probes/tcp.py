"""TCP probe: the port accepts a connection."""

import asyncio

from pybernetes.kubelet.probes.outcome import Outcome
from pybernetes.wire.dialing import dial_error


async def connect(host: str, port: int, seconds: float) -> Outcome:
    """Success as soon as the connection stands; it is closed at once."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        return Outcome(False, dial_error(host, port, error))
    writer.close()
    return Outcome(True)

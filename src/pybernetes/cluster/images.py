"""The images of a cluster on this machine, through the sockets of its runtimes.

The nodes of a machine share one store of images, so that any runtime's socket will do to load, tag or pull; containers
are asked for of each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pybernetes.cluster.profile import Profile
from pybernetes.cri.door import Door
from pybernetes.cri.door import open_door as open_sockets


def sockets(profile: Profile) -> list[Path]:
    """Of the runtimes of the profile's nodes, the first node's first."""
    return [node.runtime_socket for node in profile.nodes if not node.stopped]


@asynccontextmanager
async def open_door(profile: Profile) -> AsyncIterator[Door]:
    """Raises UnavailableError at the first call if the runtime does not answer."""
    async with open_sockets(lambda: sockets(profile)) as door:
        yield door

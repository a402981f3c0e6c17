"""Reads the snapshot that rules look at: every kind once, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pybernetes.aio.clock import Clock
from pybernetes.api import errors
from pybernetes.api.types.base import Object
from pybernetes.client.rest import Client
from pybernetes.explain.snapshot import GLOBAL, NAMESPACED, Snapshot

FORBIDDEN = 403


async def read(client: Client, clock: Clock, home: str) -> Snapshot:
    """The whole cluster, as far as the user may list it; else the home namespace of what they may not list whole.

    Raises StatusError if the server cannot be asked at all.
    """
    objects: dict[type[Object], list[Object]] = {}
    unread: set[type[Object]] = set()

    async def one(kind: type[Object], namespaces: Iterable[str]) -> None:
        for namespace in namespaces:
            try:
                objects[kind] = list((await client.list(kind, namespace)).items)
                return
            except errors.StatusError as error:
                if error.code != FORBIDDEN:
                    raise
        unread.add(kind)

    try:
        async with asyncio.TaskGroup() as group:
            for kind in NAMESPACED:
                group.create_task(one(kind, ("", home)))
            for kind in GLOBAL:
                group.create_task(one(kind, ("",)))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return Snapshot(objects, clock.now().timestamp(), home, frozenset(unread))

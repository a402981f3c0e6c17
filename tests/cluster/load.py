"""Load on a cluster whose processes are being killed, and what must hold of it afterwards."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.live import LiveCluster

from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client.codec import WatchEvent, typed_codec
from pybernetes.client.config import Config
from pybernetes.client.rest import Client, connect
from pybernetes.client.watch import Reflector, Selection

NAMESPACE = "default"
WRITERS = 4


@dataclass
class Load:
    """Writers that make and change config maps, an informer, and short pods, in a thread."""

    cluster: LiveCluster
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Of each object the last value that the server said it has."""
    seen: Seen = field(default_factory=lambda: Seen())
    refused: list[StatusError] = field(default_factory=list)
    """Answers that say something else than that nobody is there."""
    pods: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._ended.set()
        self._thread.join()

    async def _run(self) -> None:
        config = Config.from_kubeconfig(self.cluster.kubeconfig)
        async with connect(config, user_agent="load") as client, asyncio.TaskGroup() as tasks:
            selection = Selection(typed_codec(core_v1.ConfigMap), NAMESPACE)
            watcher = tasks.create_task(Reflector(client, selection, self.seen).run())
            writers = [tasks.create_task(self._write(client, number)) for number in range(WRITERS)]
            writers.append(tasks.create_task(self._make_pods(client)))
            await asyncio.gather(*writers)
            await self._catch_up()
            watcher.cancel()

    async def _write(self, client: Client, writer: int) -> None:
        for number in itertools.count():
            if self._ended.is_set():
                return
            name = f"kept-{writer}-{number // 5}"
            made = core_v1.ConfigMap(
                metadata=meta_v1.ObjectMeta(name=name, namespace=NAMESPACE), data={"n": str(number)}
            )
            await self._until_told(lambda made=made: _put(client, made))
            self.acknowledged[name] = str(number)

    async def _make_pods(self, client: Client) -> None:
        """One after the other, each ending with a line and an exit code of its own."""
        for number in itertools.count():
            if self._ended.is_set():
                return
            name = f"short-{number}"
            container = core_v1.Container(
                name="c", image="busybox", command=["sh", "-c", f"echo {name}; exit {number % 50 + 1}"]
            )
            spec = core_v1.PodSpec(containers=[container], restart_policy="Never", termination_grace_period_seconds=0)
            pod = core_v1.Pod(metadata=meta_v1.ObjectMeta(name=name, namespace=NAMESPACE), spec=spec)
            await self._until_told(lambda pod=pod: _create(client, pod))
            self.pods.append(name)
            await asyncio.sleep(0.5)

    async def _until_told(self, act: Callable[[], Awaitable[None]]) -> None:
        """Until the server has answered: a request whose answer was lost may have been carried out, or not."""
        while True:
            try:
                await act()
                return
            except StatusError as error:
                if error.code != 503 and "connect" not in error.message:
                    self.refused.append(error)
            await asyncio.sleep(0.02)

    async def _catch_up(self) -> None:
        async with asyncio.timeout(30):
            while self.seen.values != self.acknowledged:
                await asyncio.sleep(0.05)


class Seen:
    """What an informer has been told: no object ever goes back, and no version comes twice."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.faults: list[str] = []
        self._version = 0

    def replace(self, objects: Sequence[core_v1.ConfigMap], resource_version: str) -> None:
        self._version = int(resource_version)
        for found in objects:
            self._take(found)

    def apply(self, event: WatchEvent[core_v1.ConfigMap]) -> None:
        version = int(event.resource_version)
        if version < self._version or (version == self._version and event.type != "BOOKMARK"):
            self.faults.append(f"{event.type} at {version} after {self._version}")
        self._version = version
        if event.object is not None:
            self._take(event.object)

    def _take(self, found: core_v1.ConfigMap) -> None:
        name = found.metadata.name or ""
        if name.startswith("kept-"):
            if int(found.data["n"]) < int(self.values.get(name, "0")):
                self.faults.append(f"{name} went back from {self.values[name]} to {found.data['n']}")
            self.values[name] = found.data["n"]


async def _put(client: Client, made: core_v1.ConfigMap) -> None:
    try:
        await client.create(made)
    except StatusError as error:
        if error.code != 409:
            raise
        await client.update(made)


async def _create(client: Client, pod: core_v1.Pod) -> None:
    try:
        await client.create(pod)
    except StatusError as error:
        if error.code != 409:
            raise

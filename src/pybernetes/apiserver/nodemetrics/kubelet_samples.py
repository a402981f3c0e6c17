"""The last samples of each kubelet, taken when somebody asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import closing
from typing import Final, Protocol

from pybernetes.aio.clock import Clock
from pybernetes.api.errors import StatusError
from pybernetes.api.tree import Tree
from pybernetes.apiserver.kubelets.connection import BackendError, dial
from pybernetes.apiserver.kubelets.kubelets import Kubelets
from pybernetes.apiserver.nodemetrics.samples import SHORTEST, Sample, kept, missing, parse_sample

log = logging.getLogger(__name__)

PATH: Final = "/metrics/resource"
PATH_ANNOTATION: Final = "metrics.k8s.io/resource-metrics-path"
"""metrics-server's, for nodes whose metrics are elsewhere."""
FRESH: Final = 1.0
"""Seconds for which a sample answers further questions."""
SECOND_LOOK: Final = SHORTEST + 0.1
"""Seconds until what was seen for the first time is looked at again."""
LIMIT: Final = 16 << 20
AT_ONCE: Final = 32
SECONDS: Final = 10.0


class Scrape(Protocol):
    """Reads a node's counters; None where that cannot be done now."""

    async def __call__(self, node: Tree) -> Sample | None: ...


class KubeletScrape:
    """A `Scrape` of real kubelets."""

    def __init__(self, kubelets: Kubelets, clock: Clock) -> None:
        self._kubelets, self._clock = kubelets, clock

    async def __call__(self, node: Tree) -> Sample | None:
        try:
            async with asyncio.timeout(SECONDS):
                return parse_sample(await self._read(node), self._clock.now().timestamp())
        except (StatusError, BackendError, TimeoutError) as error:
            log.warning("no metrics node=%s error=%s", node["metadata"]["name"], error)
            return None

    async def _read(self, node: Tree) -> str:
        endpoint = self._kubelets.endpoint(node)
        with closing(await dial(endpoint)) as connection:
            path = (node["metadata"].get("annotations") or {}).get(PATH_ANNOTATION) or PATH
            await connection.send("GET", path, endpoint.authority, [("Connection", "close")])
            head = await connection.read_head()
            body = await connection.read_text(head, LIMIT)
            if head.status != 200:
                raise BackendError(f"kubelet answered {head.status}")
            return body.decode("utf-8", "replace")


class KubeletSamples:
    """Samples by node, oldest first; questions that come at the same time share one look."""

    def __init__(self, scrape: Scrape, clock: Clock) -> None:
        self._scrape, self._clock = scrape, clock
        self._samples: dict[str, list[Sample]] = {}
        self._looking: dict[str, asyncio.Lock] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    async def of(self, nodes: Iterable[Tree]) -> dict[str, list[Sample]]:
        """Samples by the name of the node, fresh and, a second after the first question, enough for rates."""
        listed = list(nodes)
        async with asyncio.TaskGroup() as tasks:
            for node in listed:
                name = node["metadata"]["name"]
                tasks.create_task(self._refresh(node), name=f"metrics/{name}")
        return {name: self._samples.get(name, []) for node in listed if (name := node["metadata"]["name"])}

    def forget(self, names: Iterable[str]) -> None:
        """Nodes that are gone. Safe to repeat."""
        for name in names:
            self._samples.pop(name, None)
            self._looking.pop(name, None)

    @property
    def known(self) -> set[str]:
        return set(self._samples)

    async def _refresh(self, node: Tree) -> None:
        name = node["metadata"]["name"]
        async with self._looking.setdefault(name, asyncio.Lock()):
            samples = self._samples.get(name, [])
            age = self._clock.now().timestamp() - samples[-1].time if samples else FRESH
            if age < FRESH and not missing(samples):
                return
            if age >= SECOND_LOOK or not samples:
                await self._look(node, name)
            if missing(self._samples.get(name, [])) and self._samples.get(name):
                await self._clock.sleep(SECOND_LOOK)
                await self._look(node, name)

    async def _look(self, node: Tree, name: str) -> None:
        async with self._places:
            sample = await self._scrape(node)
        if sample is not None:
            self._samples[name] = kept([*self._samples.get(name, []), sample])
        else:
            self._samples.pop(name, None)

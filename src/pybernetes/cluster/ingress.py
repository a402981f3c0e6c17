"""The class `pybernetes` of every cluster, and the process behind it, which exists only while an Ingress needs it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock
from pybernetes.aio.tasks import open_scope
from pybernetes.api.types import meta_v1 as meta
from pybernetes.api.types import networking_v1 as networking
from pybernetes.api.types import rbac_v1 as rbac
from pybernetes.api.types.base import Object
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.client.patch import PatchType
from pybernetes.ingress.classes import CONTROLLER, DEFAULT_CLASS, NAME, class_of, is_ours

log = logging.getLogger(__name__)

USER = "system:pybernetes:ingress"
MANAGER = "pybernetes-cluster"
CLASS = networking.IngressClass(
    metadata=meta.ObjectMeta(name=NAME, annotations={DEFAULT_CLASS: "true"}),
    spec=networking.IngressClassSpec(controller=CONTROLLER),
)
READ = ["get", "list", "watch"]
ROLE = rbac.ClusterRole(
    metadata=meta.ObjectMeta(name=USER),
    rules=[
        rbac.PolicyRule(api_groups=["networking.k8s.io"], resources=["ingresses", "ingressclasses"], verbs=READ),
        rbac.PolicyRule(api_groups=["networking.k8s.io"], resources=["ingresses/status"], verbs=["patch", "update"]),
        rbac.PolicyRule(api_groups=[""], resources=["services", "secrets"], verbs=READ),
        rbac.PolicyRule(api_groups=["discovery.k8s.io"], resources=["endpointslices"], verbs=READ),
        rbac.PolicyRule(api_groups=[""], resources=["events"], verbs=["create", "patch"]),
    ],
)
BINDING = rbac.ClusterRoleBinding(
    metadata=meta.ObjectMeta(name=USER),
    role_ref=rbac.RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=USER),
    subjects=[rbac.Subject(api_group="rbac.authorization.k8s.io", kind="User", name=USER)],
)


async def run(informers: Informers, socket: Path | None, clock: Clock) -> None:
    """Keep the class in place, and the process behind `socket`, if there is one, while an Ingress is its business."""
    recorder = EventRecorder(informers.client, NAME, clock=clock)
    try:
        await Wanting(informers, socket, clock, recorder).run()
    finally:
        await recorder.close()


class Wanting:
    """A connection to the process's socket is what keeps it: the supervisor starts it with the first."""

    def __init__(self, informers: Informers, socket: Path | None, clock: Clock, recorder: EventRecorder) -> None:
        self._client, self._socket, self._clock, self._recorder = informers.client, socket, clock, recorder
        self._ingresses = informers.of(networking.Ingress)
        self._classes = informers.of(networking.IngressClass)
        self._changed = asyncio.Event()
        self._told: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Returns only when cancelled."""
        await self._apply(CLASS, NAME)
        await self._ingresses.synced.wait()
        await self._classes.synced.wait()
        self._ingresses.subscribe(self._on_ingress)
        self._classes.subscribe(lambda old, new: self._changed.set())
        while True:
            await self._wait_until(lambda: self._socket is not None and self._is_wanted())
            await self._apply(ROLE, USER)
            await self._apply(BINDING, USER)
            await self._hold()

    def _is_wanted(self) -> bool:
        classes = self._classes.list()
        return any(is_ours(ingress, classes) for ingress in self._ingresses.list())

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def _hold(self) -> None:
        """Until nobody needs the process any more; connect again when it ends before that."""
        backoff = Backoff(initial=0.05, limit=5.0)
        while self._is_wanted():
            try:
                reader, writer = await asyncio.open_unix_connection(self._socket)
            except OSError as error:
                log.warning("ingress cannot be started error=%s", error)
            else:
                try:
                    async with open_scope("ingress") as scope:
                        gone = scope.spawn(reader.read(), "gone")
                        unwanted = scope.spawn(self._wait_until(lambda: not self._is_wanted()), "unwanted")
                        await asyncio.wait({gone, unwanted}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    writer.close()
            if self._is_wanted():
                await self._clock.sleep(backoff.next())

    def _on_ingress(self, old: networking.Ingress | None, new: networking.Ingress | None) -> None:
        self._changed.set()
        if new is not None:
            self._tell_class(new)

    def _tell_class(self, ingress: networking.Ingress) -> None:
        """An Ingress of a class that nobody has made is nobody's, which nobody else would say."""
        name, uid = class_of(ingress), ingress.metadata.uid or ""
        if not name or self._classes.get(name) is not None or (uid, name) in self._told:
            return
        self._told.add((uid, name))
        message = (
            f'ingress class "{name}" does not exist, so nobody serves this Ingress; '
            f'use class "{NAME}", or leave spec.ingressClassName out'
        )
        self._recorder.event(ingress, "Warning", "IngressClassNotFound", message)

    async def _apply(self, obj: Object, name: str) -> None:
        body = msgspec.json.encode(obj)
        await self._client.patch(type(obj), name, "", body, PatchType.APPLY, field_manager=MANAGER, force=True)

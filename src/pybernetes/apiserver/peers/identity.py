"""The identity Lease of each API server in `kube-system`, and the end of those whose server is gone (KEP 1965)."""

from __future__ import annotations

import logging
import socket
import uuid
from datetime import datetime, timedelta
from typing import Final

from pybernetes.api.errors import StatusError
from pybernetes.api.tree import Tree
from pybernetes.apiserver.bootstrap.objects import complete
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.own_names import server_name
from pybernetes.apiserver.services import Services

log = logging.getLogger(__name__)
LEASES: Final = builtin("coordination.k8s.io", "v1", "leases")
NAMESPACE: Final = "kube-system"
LABEL: Final = "apiserver.kubernetes.io/identity"
COMPONENT: Final = "kube-apiserver"
LEASE_SECONDS: Final = 3600
RENEW_SECONDS: Final = 10.0


class Identity:
    """Named by host, address and port, since one machine may have several."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._host = socket.gethostname()
        self.name = server_name(services.options)
        self._holder = f"{self.name}_{uuid.uuid4()}"

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.renew()
                await self.collect()
            except StatusError as error:
                log.warning("identity lease not renewed error=%s", error)
            await self._services.clock.sleep(RENEW_SECONDS)

    async def renew(self) -> None:
        registry, now = self._services.registry, self._micro_time()
        spec: Tree = {"holderIdentity": self._holder, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}
        item = registry.get(LEASES, self.name, NAMESPACE)
        if item is not None:
            await registry.update(LEASES, item.decode() | {"spec": spec}, note=False)
            return
        labels = {LABEL: COMPONENT, "kubernetes.io/hostname": self._host}
        lease = {"metadata": {"name": self.name, "namespace": NAMESPACE, "labels": labels}, "spec": spec}
        await registry.create(LEASES, complete(LEASES, lease), NAMESPACE)

    async def collect(self) -> None:
        """Delete the leases of servers that have not renewed theirs for its whole duration."""
        now = self._services.clock.now()
        for item in self._services.registry.list(LEASES, NAMESPACE):
            if item.labels.get(LABEL) != COMPONENT:
                continue
            spec = item.tree.get("spec") or {}
            renewed, seconds = spec.get("renewTime"), spec.get("leaseDurationSeconds")
            if not renewed or not seconds or datetime.fromisoformat(renewed) + timedelta(seconds=seconds) < now:
                await self._services.registry.delete(LEASES, item.name, NAMESPACE)

    def _micro_time(self) -> str:
        return self._services.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

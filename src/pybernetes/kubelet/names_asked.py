"""Wrong names that pods ask for become events on the pods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.events import WARNING, Events

REASON = "DNSNameNotFound"

LATER = 0.5, 3.0
"""Seconds after which a name is told that no pod's address asked for: a container asks before its pod's address is known."""

Asked = asyncio.Queue[tuple[str, str]]
"""(the address that asked, the name that does not exist); what does not fit is dropped."""


async def follow(asked: Asked, pods: Callable[[], Iterable[v1.Pod]], events: Events) -> None:
    """Tell each name on the pod whose address asked for it. Pods of the host's network have none of their own."""
    loop = asyncio.get_running_loop()

    def tell(address: str, name: str, later: tuple[float, ...]) -> None:
        found = [pod for pod in pods() if pod.status.pod_ip == address and not pod.spec.host_network]
        for pod in found:
            events.pod(pod, WARNING, REASON, f'asked DNS for "{name}", which does not exist')
        if not found and later:
            loop.call_later(later[0], tell, address, name, later[1:])

    while True:
        tell(*await asked.get(), LATER)

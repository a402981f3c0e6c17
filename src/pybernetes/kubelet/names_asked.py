"""Wrong names that pods ask for become events on the pods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.events import WARNING, Events

REASON = "DNSNameNotFound"

Asked = asyncio.Queue[tuple[str, str]]
"""(the address that asked, the name that does not exist); what does not fit is dropped."""


async def follow(asked: Asked, pods: Callable[[], Iterable[v1.Pod]], events: Events) -> None:
    """Tell each name on the pod whose address asked for it. Pods of the host's network have none of their own."""
    while True:
        address, name = await asked.get()
        for pod in pods():
            if pod.status.pod_ip == address and not pod.spec.host_network:
                events.pod(pod, WARNING, REASON, f'asked DNS for "{name}", which does not exist')

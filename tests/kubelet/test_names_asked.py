"""Names that pods ask for in vain, told on the pods."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet import names_asked

from .world import a_pod


class Heard:
    """Takes the place of the kubelet's events."""

    def __init__(self) -> None:
        self.told: list[tuple[str | None, str]] = []

    def pod(self, pod: v1.Pod, type: str, reason: str, message: str, *more: Any) -> None:
        self.told.append((pod.metadata.name, message))


async def test_a_name_is_told_once_the_address_is_known_to_be_a_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_asked, "LATER", (0.01, 0.02))
    asked, pods, heard = names_asked.Asked(), [], Heard()
    following = asyncio.create_task(names_asked.follow(asked, lambda: pods, heard))  # type: ignore[arg-type]
    asked.put_nowait(("10.244.0.9", "dat.default.svc.cluster.local"))
    while not asked.empty():
        await asyncio.sleep(0)
    assert heard.told == []
    pods.append(msgspec.structs.replace(a_pod(), status=v1.PodStatus(pod_ip="10.244.0.9")))
    async with asyncio.timeout(5):
        while not heard.told:
            await asyncio.sleep(0.01)
    following.cancel()
    assert heard.told == [
        (pods[0].metadata.name, 'asked DNS for "dat.default.svc.cluster.local", which does not exist')
    ]

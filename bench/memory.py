"""What a stored pod costs the API server: its memory before and after thousands of them, with their lists in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.cluster import proportional_set_size
from bench.figures import Figure
from bench.objects import NAMESPACE, pod
from pybernetes.api.types import core_v1 as core
from pybernetes.client.patch import PatchType
from pybernetes.client.rest import Client
from pybernetes.cluster import pidfile
from pybernetes.cluster.profile import Profile

COUNT = 10000
CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
TIME = "2026-01-01T00:00:00Z"
STATUS = {
    "phase": "Running", "podIP": "10.244.0.9", "podIPs": [{"ip": "10.244.0.9"}], "hostIP": "10.244.0.1",
    "hostIPs": [{"ip": "10.244.0.1"}], "startTime": TIME, "qosClass": "BestEffort",
    "conditions": [{"type": each, "status": "True", "lastTransitionTime": TIME} for each in CONDITIONS],
    "containerStatuses": [
        {
            "name": "main", "ready": True, "started": True, "restartCount": 0, "image": "busybox:1",
            "imageID": f"docker.io/library/busybox@sha256:{'0' * 64}", "containerID": f"containerd://{'0' * 64}",
            "state": {"running": {"startedAt": TIME}}, "lastState": {},
        }
    ],
}  # fmt: skip
"""As a kubelet reports a running container: most of what a pod weighs."""


async def measure(client: Client, profile: Profile) -> list[Figure]:
    slots = asyncio.Semaphore(32)

    async def make(number: int) -> None:
        async with slots:
            await client.create(pod(f"stored-{number}", scheduler="none", app="stored"))
            await client.patch(
                core.Pod, f"stored-{number}", NAMESPACE, {"status": STATUS}, PatchType.MERGE, subresource="status"
            )

    async def make_all(numbers: range) -> None:
        async with asyncio.TaskGroup() as group:
            for number in numbers:
                group.create_task(make(number))

    await make_all(range(100))  # what is loaded only once, too
    await client.list(core.Pod, NAMESPACE)
    before = api_server_kib(profile.run)
    await make_all(range(100, COUNT + 100))
    used = api_server_kib(profile.run) - before
    await client.delete_collection(core.Pod, NAMESPACE, label_selector="app=stored")
    return [Figure("memory of the API server per stored pod", used * 1.024 / COUNT)]


def api_server_kib(run: Path) -> int:
    return proportional_set_size(pidfile.read(run / "apiserver.pid"))

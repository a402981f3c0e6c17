"""A pod's sandbox: devices, claims, network, and the volumes meanwhile."""

import asyncio
import logging
from pathlib import Path

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.kubelet.admission import FAILED
from pybernetes.kubelet.containers.sandbox import log_directory, sandbox_config
from pybernetes.kubelet.deviceplugins.errors import DeviceError
from pybernetes.kubelet.dra.errors import ClaimError
from pybernetes.kubelet.events import NORMAL, WARNING
from pybernetes.kubelet.objects import ConfigError
from pybernetes.kubelet.observed import Observed
from pybernetes.kubelet.plan import RunSandbox, Waiting
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.pod.memory import PodMemory
from pybernetes.kubelet.podspec import uid_of
from pybernetes.kubelet.status.context import Verdict
from pybernetes.kubelet.users import check_handler, user_namespace, wants_users
from pybernetes.kubelet.volumes.podvolumes import PodVolumes, VolumeFailures

log = logging.getLogger(__name__)


class SandboxStarter:
    """Makes the sandboxes of one pod. What fails is remembered and told."""

    def __init__(self, doors: PodDoors, memory: PodMemory, volumes: PodVolumes) -> None:
        self._doors, self._memory, self._volumes = doors, memory, volumes

    async def allocate(self, pod: v1.Pod) -> Verdict | None:
        """Devices of plugins for all containers; why the pod cannot run here, if it cannot have them."""
        try:
            await self._doors.devices.allocate(pod)
        except DeviceError as error:
            return Verdict("UnexpectedAdmissionError", f"{FAILED}Allocate failed due to {error}, which is unexpected")
        return None

    async def run(self, pod: v1.Pod, action: RunSandbox, observed: Observed) -> None:
        """Stop what is left of the sandbox before, then create the next; volumes are set up meanwhile."""
        if action.changed:
            message = "Pod sandbox changed, it will be killed and re-created."
            self._doors.events.pod(pod, NORMAL, "SandboxChanged", message)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._set_up_volumes_early(pod))
            group.create_task(self._run(pod, action, observed))

    async def config(self, pod: v1.Pod, attempt: int) -> t.PodSandboxConfig:
        """What the sandbox of this attempt was or is to be made of, the same at each call. Raises ConfigError."""
        known = self._memory.sandbox_config
        if known is None or known.metadata is None or known.metadata.attempt != attempt:
            users = await self.users(pod)
            known = self._memory.sandbox_config = sandbox_config(pod, attempt, self._doors.settings, users)
        return known

    async def users(self, pod: v1.Pod) -> t.UserNamespace | None:
        """The ids that are the pod's own, if it does not have those of the node. Raises ConfigError."""
        if not wants_users(pod):
            return None
        return await self._doors.threads.run(user_namespace, self._doors.root / "pods", uid_of(pod))

    async def _run(self, pod: v1.Pod, action: RunSandbox, observed: Observed) -> None:
        doors, counted, mapped = self._doors, self._doors.counted, wants_users(pod)
        counted.pod_started(mapped=mapped)
        try:
            await doors.claims.prepare(pod)
        except ClaimError as error:
            counted.pod_failed(mapped=mapped)
            words = f"Failed to prepare dynamic resources: prepare dynamic resources: {error}"
            self._refuse(pod, "FailedPrepareDynamicResources", words)
            return
        try:
            handler = doors.runtime_handler(pod.spec.runtime_class_name or "")
            if mapped:
                await check_handler(doors.runtime, handler)
            config = await self.config(pod, action.attempt)
            for old in observed.sandboxes:
                await doors.runtime.stop_pod_sandbox(old.id)
            await doors.threads.run(_make_directory, log_directory(pod, doors.settings.pod_logs))
            await self._make(config, handler)
        except (CRIError, ConfigError) as error:
            counted.pod_failed(mapped=mapped)
            self._refuse(pod, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            return
        self._memory.succeeded("")

    def _refuse(self, pod: v1.Pod, reason: str, message: str) -> None:
        """Tell why there is none; it is tried again."""
        self._doors.events.pod(pod, WARNING, reason, message)
        now, delay = self._doors.clock.now().timestamp(), self._memory.next_delay("", 60.0)
        self._memory.failed("", Waiting("ContainerCreating", ""), now, delay)

    async def _make(self, config: t.PodSandboxConfig, handler: str) -> None:
        counted, begun = self._doors.counted, self._doors.clock.monotonic()
        try:
            await self._doors.runtime.run_pod_sandbox(config, handler)
        except CRIError:
            counted.failed_sandbox.inc(handler)
            raise
        finally:
            counted.sandbox.observe(self._doors.clock.monotonic() - begun, handler)

    async def _set_up_volumes_early(self, pod: v1.Pod) -> None:
        try:
            await self._volumes.set_up(pod)
        except VolumeFailures as failures:
            log.debug("volumes not ready yet pod=%s error=%s", uid_of(pod), failures)


def _make_directory(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)

"""One look at a pod in the runtime: what is there, what the ended containers said, and away with what is too old."""

from pathlib import Path

from pybernetes.cri import types as t
from pybernetes.kubelet.logs.rotate import remove_log
from pybernetes.kubelet.logs.tail import last_lines
from pybernetes.kubelet.observed import Observed, observe
from pybernetes.kubelet.pod.doors import PodDoors
from pybernetes.kubelet.termination import read_message

KEPT_ATTEMPTS = 2
"""The newest attempt of a container and the one before, for its log."""


class Looker:
    """The eyes of one worker."""

    def __init__(self, doors: PodDoors) -> None:
        self.messages: dict[str, str] = {}
        """Container id -> termination message, of the containers that have ended."""
        self._doors = doors

    async def look(self, uid: str) -> Observed:
        """What the runtime has of the pod now. Raises CRIError."""
        observed = await observe(self._doors.runtime, uid)
        await self._read_messages(observed)
        await self._remove_old(observed)
        return observed

    async def _read_messages(self, observed: Observed) -> None:
        present = {attempt.id for attempt in observed.containers}
        self.messages = {known: message for known, message in self.messages.items() if known in present}
        for attempt in observed.containers:
            if attempt.is_exited and attempt.id not in self.messages:
                self.messages[attempt.id] = await self._doors.threads.run(_message, attempt.status)

    async def _remove_old(self, observed: Observed) -> None:
        """Old attempts go, and sandboxes that have none left."""
        seen: dict[str, int] = {}
        kept: set[str] = set()
        for attempt in observed.containers:
            seen[attempt.name] = seen.get(attempt.name, 0) + 1
            if seen[attempt.name] > KEPT_ATTEMPTS and not attempt.is_running:
                await self._doors.runtime.remove_container(attempt.id)
                await self._doors.threads.run(remove_log, Path(attempt.status.log_path))
            else:
                kept.add(attempt.sandbox_id)
        for sandbox in observed.sandboxes[1:]:
            if sandbox.id not in kept and sandbox.state == t.PodSandboxState.SANDBOX_NOTREADY:
                await self._doors.runtime.remove_pod_sandbox(sandbox.id)


def _message(status: t.ContainerStatus) -> str:
    return read_message(status, last_lines)

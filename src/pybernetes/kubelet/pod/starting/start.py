"""One start of one container, as the steps of it hand it on."""

from dataclasses import dataclass

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.kubelet.observed import Observed
from pybernetes.kubelet.plan import StartContainer, Waiting
from pybernetes.kubelet.podspec import AnyContainer


@dataclass(frozen=True, slots=True)
class Start:
    """What is started, and what was known when it began; nothing of it changes meanwhile."""

    pod: v1.Pod
    container: AnyContainer
    action: StartContainer
    observed: Observed
    sandbox: t.PodSandboxStatus

    @property
    def sandbox_attempt(self) -> int:
        """Which of the pod's sandboxes it starts in."""
        return self.sandbox.metadata.attempt if self.sandbox.metadata else 0

    @property
    def addresses(self) -> list[str]:
        """Those of the sandbox; none where the pod has the node's."""
        network = self.sandbox.network
        return [network.ip, *(extra.ip for extra in network.additional_ips)] if network and network.ip else []


class StartFailed(Exception):
    """A container could not be brought to run; it has been told and will be tried again."""

    def __init__(self, waiting: Waiting, retry_after: float) -> None:
        super().__init__(waiting.message)
        self.waiting, self.retry_after = waiting, retry_after

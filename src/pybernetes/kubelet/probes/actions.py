"""One probe or hook action against one container."""

from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.api.types import core_v1 as v1
from pybernetes.cri.errors import CRIError, DeadlineError
from pybernetes.cri.service import RuntimeService
from pybernetes.kubelet.podspec import AnyContainer
from pybernetes.kubelet.probes import grpc, http, tcp
from pybernetes.kubelet.probes.outcome import ActionError, Outcome

MAX_OUTPUT = 10 * 1024
PROBE_AGENT = "kube-probe/1.36"
HOOK_AGENT = "kube-lifecycle/1.36"


class Subject(Struct, frozen=True):
    """The container that is acted upon."""

    container: AnyContainer
    container_id: str
    pod_ip: str


class Actions(Struct, frozen=True):
    """Carries actions out."""

    runtime: RuntimeService
    clock: Clock

    async def probe(self, probe: v1.Probe, subject: Subject) -> Outcome:
        """One attempt, within the probe's time-out. Raises ActionError if it cannot be made."""
        seconds = probe.timeout_seconds or 1
        container, ip = subject.container, subject.pod_ip
        if probe.exec:
            return await self._exec(subject.container_id, probe.exec.command, seconds)
        if action := probe.http_get:
            port = http.port_number(action.port, container)
            return await http.get(http.target_of(action, ip, port, PROBE_AGENT), seconds)
        if probe.tcp_socket:
            port = http.port_number(probe.tcp_socket.port, container)
            return await tcp.connect(probe.tcp_socket.host or ip, port, seconds)
        if probe.grpc:
            return await grpc.check(ip, probe.grpc.port, probe.grpc.service or "", seconds)
        raise ActionError(f"missing probe handler for container {container.name}")

    async def hook(self, handler: v1.LifecycleHandler, subject: Subject, seconds: float | None) -> None:
        """Run a lifecycle hook to its end, or for `seconds`. Raises ActionError with the cause if it failed."""
        if handler.exec:
            await self._exec_hook(handler.exec, subject, seconds)
        elif action := handler.http_get:
            port = http.port_number(action.port, subject.container)
            outcome = await http.get(http.target_of(action, subject.pod_ip, port, HOOK_AGENT), seconds)
            if not outcome.ok and not outcome.output.startswith("HTTP probe failed"):
                raise ActionError(outcome.output)
        elif handler.sleep:
            await self.clock.sleep(handler.sleep.seconds)
        elif handler.tcp_socket:
            raise ActionError("lifecycle hooks of type tcpSocket are not supported")

    async def _exec_hook(self, action: v1.ExecAction, subject: Subject, seconds: float | None) -> None:
        outcome = await self._exec(
            subject.container_id, action.command, 0 if seconds is None else max(1, round(seconds))
        )
        if not outcome.ok:
            raise ActionError(f"command '{' '.join(action.command)}' failed: {outcome.output}")

    async def _exec(self, container_id: str, command: list[str], seconds: int) -> Outcome:
        try:
            answer = await self.runtime.exec_sync(container_id, command, seconds)
        except DeadlineError:
            return Outcome(False, f'command timed out: "{" ".join(command)}" timed out after {seconds}s')
        except CRIError as error:
            return Outcome(False, str(error))
        output = (answer.stdout + answer.stderr)[:MAX_OUTPUT].decode(errors="replace")
        return Outcome(answer.exit_code == 0, output)

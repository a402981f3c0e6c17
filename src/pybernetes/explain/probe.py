"""Containers that probes or hooks find unwell."""

from __future__ import annotations

import re

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain import program
from pybernetes.explain.causes import Cause
from pybernetes.explain.nearest import hint
from pybernetes.explain.snapshot import AnyContainer, Snapshot, ref
from pybernetes.explain.steps import change

ENDED_BY_SIGNAL = (128 + 9, 128 + 15)


def not_ready(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, status: v1.ContainerStatus) -> Cause | None:
    """Why a container that runs is not ready; None if its first probe has not failed yet."""
    kind = "Startup" if container.startup_probe and not status.started else "Readiness"
    said = next((m for m in _told(snapshot, pod, container, "Unhealthy") if m.startswith(kind)), "")
    probe = container.startup_probe if kind == "Startup" else container.readiness_probe
    if not said or probe is None:
        return None
    return Cause(
        f"its {kind.lower()} probe fails: {_action(probe)}",
        seen=(said,),
        steps=_steps(snapshot, pod, container, probe, said),
    )


def killed(
    snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, ended: v1.ContainerStateTerminated
) -> Cause | None:
    """The probe or hook that had the container ended; None if it ended by itself."""
    hook = next(iter(_told(snapshot, pod, container, "FailedPostStartHook")), "")
    if hook:
        action = container.lifecycle.post_start if container.lifecycle else None
        command = " ".join(action.exec.command) if action and action.exec else "the postStart hook"
        return Cause(f"its postStart hook fails, so that it is ended each time: {command}", seen=(hook,), steps=(
            snapshot.command("logs", ref(pod), f"-c {container.name} --previous"),))  # fmt: skip
    verdict = next((m for m in _told(snapshot, pod, container, "Killing") if "probe" in m), "")
    if not verdict and ended.exit_code in ENDED_BY_SIGNAL:
        # A pod whose probe fails every second has spent its events before the verdict.
        unwell = _told(snapshot, pod, container, "Unhealthy")
        verdict = next((m for m in unwell if m.startswith(("Startup probe failed", "Liveness probe failed"))), "")
    if not verdict or (ended.exit_code == 0 and ended.reason == "OOMKilled"):
        return None
    kind, probe = (
        ("startup", container.startup_probe)
        if "startup probe" in verdict.lower()
        else ("liveness", container.liveness_probe)
    )
    if probe is None:
        return None
    said = next((m for m in _told(snapshot, pod, container, "Unhealthy") if m.startswith(kind.capitalize())), "")
    return Cause(
        f"its {kind} probe fails, so that it is ended and started again: {_action(probe)}",
        seen=tuple(dict.fromkeys(filter(None, (said, verdict)))),
        steps=_steps(snapshot, pod, container, probe, said),
    )


def _told(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, reason: str) -> list[str]:
    """What events of a reason say about this container, newest first."""
    return [
        event.message or ""
        for event in snapshot.events(pod, reason)
        if f"{{{container.name}}}" in (event.involved_object.field_path or "")
    ]


def _action(probe: v1.Probe) -> str:
    if get := probe.http_get:
        return f"GET {get.path or '/'} on port {get.port}"
    if probe.tcp_socket:
        return f"connect to port {probe.tcp_socket.port}"
    if probe.grpc:
        return f"gRPC health check on port {probe.grpc.port}"
    return " ".join(probe.exec.command) if probe.exec else "nothing to do"


def _steps(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, probe: v1.Probe, said: str) -> tuple[str, ...]:
    action = probe.http_get or probe.tcp_socket or probe.grpc
    port = action.port if action is not None else None
    declared = {str(p.container_port): p.name or "" for p in container.ports}
    edit = change(snapshot, pod)
    if isinstance(port, str) and port not in declared.values() and not port.isdigit():
        return (f"no port of container {container.name} is called {port}{hint(port, declared.values())}", edit)
    if port is not None and "refused" in said:
        listens = f"; the container declares {', '.join(declared)}" if declared and str(port) not in declared else ""
        return (f"nobody listens on port {port}{listens}: correct the probe, or give the program more time", edit)
    if "statuscode: 404" in said and probe.http_get:
        return (f"there is no page {probe.http_get.path}: correct the probe's path", edit)
    if "HTTP response to HTTPS client" in said:
        return (f"port {port} speaks HTTP: leave scheme: HTTPS out", edit)
    if (denied := re.search(r"statuscode: 40[13]", said)) and probe.http_get:
        return (f"the page {probe.http_get.path} is not for everybody ({denied[0]}): probe one without a login", edit)
    if probe.exec and (found := program.no_such_program(snapshot, pod, container, said)):
        return (f"{found.what.rpartition(' (')[0]}: probe by httpGet or tcpSocket, which need no program", edit)
    if "timed out" in said or "deadline exceeded" in said:
        return (f"the answer takes longer than timeoutSeconds of {probe.timeout_seconds or 1}", edit)
    return (snapshot.command("logs", ref(pod), f"-c {container.name}"), edit)

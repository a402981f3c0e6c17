"""The supervisor: one small process that imports the shared modules once, forks the components and restarts them.

It has no event loop and no thread, since it forks: it waits in one `select` for signals and for requests on its
control socket. Containers are nobody's business here; they outlive every component (design, section 6).
"""

import gc
import importlib
import logging
import math
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pybernetes.cluster import pidfile
from pybernetes.cluster.component import END_PODS, Child, Component, Upkeep
from pybernetes.cluster.control_socket import ControlSocket
from pybernetes.cluster.endings import reaped
from pybernetes.cluster.forking import HANDLED, become, fork, redirect_output
from pybernetes.cluster.listening import Listener
from pybernetes.cluster.walltimer import Timer, wall_timer
from pybernetes.telemetry.log import configure

log = logging.getLogger(__name__)

STEADY_SECONDS = 60
"""A component that has lived this long starts again at once when it ends."""

COMPONENT_GRACE = 10.0
UPKEEP_RETRY_SECONDS = 60.0


class Supervisor:
    """Keeps components running until told to halt. Runs in a process of its own; `run` returns at the end.

    `components` says which there are to be; it is asked again when the supervisor is told that this has changed.
    """

    def __init__(
        self,
        run_directory: Path,
        log_directory: Path,
        components: Callable[[], list[Component]],
        upkeep: Upkeep | None = None,
        timer: Timer | None = None,
    ) -> None:
        self._run = run_directory
        self._logs = log_directory
        self._components = components
        self._children = [Child(component) for component in components()]
        self._selector = selectors.DefaultSelector()
        self._ending = False
        self._upkeep = upkeep
        self._upkeep_pid = 0
        self._timer = timer or wall_timer()

    def run(self) -> None:
        configure("supervisor")
        signals = self._receive_signals()
        self._control = ControlSocket(self._run / "supervisor.sock")
        self._selector.register(self._control.listener, selectors.EVENT_READ)
        pidfile.write(self._run / "supervisor.pid")
        self._selector.register(self._timer, selectors.EVENT_READ)
        try:
            for child in self._children:
                self._listen_for(child)
            self._start_due()
            self._plan_upkeep()
            while not self._ending:
                self._start_due()
                for key, _ in self._selector.select(self._until_next_start()):
                    if key.fileobj is self._control.listener:
                        self._control.serve(self._answer)
                    elif key.fileobj is self._timer:
                        self._start_upkeep()
                    elif isinstance(key.data, Child):
                        self._connected(key.data)
                    else:
                        self._handle_signals(signals)
        finally:
            if self._upkeep_pid:
                os.waitpid(self._upkeep_pid, 0)
            for child in self._children:
                self._listen_no_more(child)
            self._control.remove()
            pidfile.remove(self._run / "supervisor.pid")

    def _receive_signals(self) -> socket.socket:
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, lambda *_: None)
        self._wakeup = writer
        self._selector.register(reader, selectors.EVENT_READ)
        return reader

    def _listen_for(self, child: Child) -> None:
        """An address that is taken costs its component, and nobody else."""
        for held in child.component.listens:
            try:
                held.open()
            except OSError as error:
                log.error("cannot listen component=%s address=%s error=%s", child.component.name, held, error)
        if child.component.listens:
            self._rest(child, 0.0)

    def _listen_no_more(self, child: Child) -> None:
        self._watch(child, False)
        for held in child.component.listens:
            held.close()

    def _watch(self, child: Child, watch: bool) -> None:
        """Whether connections to the component's addresses wake the supervisor."""
        if child.watched == watch:
            return
        child.watched = watch
        for held in child.component.listens:
            if held.bound is None:
                continue
            if watch:
                self._selector.register(held.bound, selectors.EVENT_READ, child)
            else:
                self._selector.unregister(held.bound)

    def _rest(self, child: Child, until: float) -> None:
        """From now on the component waits for a connection; after a failure it does not start before `until`."""
        child.start_at, child.rested = math.inf, until
        self._watch(child, True)

    def _connected(self, child: Child) -> None:
        """Somebody wants the component, which will accept the connection."""
        self._watch(child, False)
        child.start_at = child.rested

    def _handle_signals(self, reader: socket.socket) -> None:
        numbers = set(reader.recv(4096))
        if numbers & {signal.SIGTERM, signal.SIGINT}:
            self.halt()
        elif signal.SIGCHLD in numbers:
            self._reap()

    def _plan_upkeep(self, *, failed: bool = False) -> None:
        if self._upkeep is None:
            return
        soonest = time.time() + UPKEEP_RETRY_SECONDS if failed else 0.0
        try:
            self._timer.arm(max(soonest, self._upkeep.due()))
        except (OSError, ValueError) as error:
            log.warning("upkeep cannot be planned error=%s", error)
            self._timer.arm(time.time() + UPKEEP_RETRY_SECONDS)

    def _start_upkeep(self) -> None:
        self._timer.acknowledge()
        if self._upkeep is None or self._upkeep_pid:
            return
        pid = fork()
        if pid == 0:
            become("upkeep", self._leave, self._upkeep.run)
        self._upkeep_pid = pid

    def _until_next_start(self) -> float | None:
        waiting = [child.start_at for child in self._children if not child.pid and not math.isinf(child.start_at)]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def _start_due(self) -> None:
        for child in self._children:
            if not child.pid and child.start_at <= time.monotonic():
                self._start(child)

    def _start(self, child: Child) -> None:
        """Import what the component needs, then fork: the first components come up while the next are imported."""
        gc.disable()
        if child.component.module:
            importlib.import_module(child.component.module)
        # What is there now is never looked through again, by any of the processes: their pages stay shared.
        gc.freeze()
        pid = fork()
        gc.enable()
        if pid == 0:
            component = child.component
            become(component.name, partial(self._leave, component.listens), partial(self._run_component, component))
        child.pid = pid
        child.restarts += 1
        child.started = time.monotonic()
        log.info("started component=%s pid=%d restarts=%d", child.component.name, pid, child.restarts)

    def _leave(self, listens: tuple[Listener, ...] = ()) -> None:
        """Close, in a fork, what is the supervisor's; but for the sockets that the fork `listens` on."""
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        for held in (held for child in self._children for held in child.component.listens):
            if held not in listens and held.bound is not None:
                held.bound.close()
        self._wakeup.close()
        self._selector.close()

    def _run_component(self, component: Component) -> None:
        redirect_output(self._logs / f"{component.name}.log")
        pidfile.write(self._run / f"{component.name}.pid")
        component.main()

    def _reap(self) -> None:
        for child in self._children:
            if child.pid and (ended := os.waitpid(child.pid, os.WNOHANG))[0]:
                self._ended(child, os.waitstatus_to_exitcode(ended[1]))
        if self._upkeep_pid and (ended := os.waitpid(self._upkeep_pid, os.WNOHANG))[0]:
            self._upkeep_pid = 0
            self._plan_upkeep(failed=ended[1] != 0)

    def _ended(self, child: Child, code: int) -> None:
        lived = time.monotonic() - child.started
        if lived > STEADY_SECONDS:
            child.backoff.reset()
        name = child.component.name
        child.pid = 0
        if child.component.listens and code == 0:
            log.info("component is idle component=%s lived=%.1fs", name, lived)
            child.backoff.reset()
            self._rest(child, 0.0)
            return
        delay = child.backoff.next()
        if child.component.listens:
            self._rest(child, time.monotonic() + delay)
        else:
            child.start_at = time.monotonic() + delay
        log.warning("component ended component=%s code=%d lived=%.1fs restart_in=%.2fs", name, code, lived, delay)

    def _answer(self, request: dict[str, Any], asked_by: socket.socket) -> dict[str, Any]:
        action = request.get("do")
        if action == "status":
            return {"components": [child.describe() for child in self._children]}
        if action == "halt":
            self.halt()
            return {"halted": True}
        if action == "stop":
            self._control.remove()
            ended = self._end_pods(self._children, float(request.get("grace", 30)), asked_by)
            self.halt()
            return {"halted": True, "pods_ended": ended}
        if action == "update":
            self.update(float(request.get("grace", 0)))
            return {"updated": True}
        return {"error": f"unknown action {action!r}"}

    def update(self, grace: float) -> None:
        """End the components that there are to be no more, and start those that are new.

        Agents that end may end their pods first, in `grace` seconds; with 0 the pods go on.
        """
        wanted = {component.name: component for component in self._components()}
        gone = [child for child in self._children if child.component.name not in wanted]
        if grace:
            self._end_pods(gone, grace)
        for child in gone:
            self._end(child)
            self._listen_no_more(child)
        known = {child.component.name: child for child in self._children}
        self._children = [self._child_of(component, known.get(name)) for name, component in wanted.items()]
        self._plan_upkeep()

    def _child_of(self, component: Component, known: Child | None) -> Child:
        """Of a component as it is to be from now on; one that runs already is only told."""
        if known is None:
            child = Child(component)
            self._listen_for(child)
            return child
        if not component.listens:  # else it goes on with the sockets that it has
            known.component = component
        if component.reloads and known.pid:
            os.kill(known.pid, signal.SIGHUP)
        return known

    def _end_pods(self, children: list[Child], grace: float, asked_by: socket.socket | None = None) -> bool:
        """Have agents end their pods; True if all did within `grace` seconds, or before those who asked hung up."""
        agents = [child for child in children if child.component.ends_pods and child.pid]
        for child in agents:
            os.kill(child.pid, END_PODS)
        return self._wait(agents, grace, asked_by)

    def halt(self) -> None:
        """End the components, last started first; containers go on."""
        self._control.remove()
        for child in reversed(self._children):
            self._end(child)
        self._ending = True

    def _end(self, child: Child) -> None:
        if child.pid:
            os.kill(child.pid, signal.SIGTERM)
            if not self._wait([child], COMPONENT_GRACE):
                log.error("component did not end in time component=%s", child.component.name)
                os.kill(child.pid, signal.SIGKILL)
                self._wait([child], COMPONENT_GRACE)
        pidfile.remove(self._run / f"{child.component.name}.pid")

    def _wait(self, children: list[Child], seconds: float, asked_by: socket.socket | None = None) -> bool:
        """Until these have ended."""
        deadline = time.monotonic() + seconds
        for child in children:
            if child.pid and not reaped(child.pid, deadline - time.monotonic(), asked_by):
                return False
            child.pid = 0
        return True

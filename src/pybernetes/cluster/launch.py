"""The supervisor's birth: a daemon that imports the components while its parent still checks and signs."""

import gc
import importlib
import os
import sys
import traceback
from dataclasses import dataclass
from typing import Self

from pybernetes.cluster.components import components
from pybernetes.cluster.endings import Outsider
from pybernetes.cluster.forking import redirect_output
from pybernetes.cluster.profile import Profile
from pybernetes.cluster.supervisor import Supervisor

FIRST = "pybernetes.cluster.processes.apiserver"
"""Imported while the parent checks and signs: nothing else can begin before the API server serves."""

END_SECONDS = 60.0


@dataclass(slots=True)
class Launch:
    """A supervisor that has been forked and waits for `go`."""

    profile: Profile
    _gate: int
    _daemon: Outsider

    @classmethod
    def begin(cls, profile: Profile) -> Self:
        """Fork the daemon; it detaches from the terminal, imports the API server, and waits."""
        reader, writer = os.pipe()
        told, tell = os.pipe()
        if (child := os.fork()) == 0:
            os.close(writer)
            os.setsid()
            if (daemon := os.fork()) == 0:
                os.close(tell)
                _supervise(profile, reader)
            os.write(tell, str(daemon).encode())
            os._exit(0)
        os.close(reader)
        os.close(tell)
        os.waitpid(child, 0)
        pid = int(os.read(told, 32))
        os.close(told)
        return cls(profile, writer, Outsider(pid))

    def go(self) -> None:
        """Everything is in place: start the components."""
        os.write(self._gate, b"g")
        self._close_gate()

    def has_ended(self) -> bool:
        """Whether the daemon is no more."""
        return self._daemon.has_ended()

    def cancel(self) -> None:
        """The start has failed: the daemon ends, with the components if there are any, and is waited for."""
        self._close_gate()
        self._daemon.end(END_SECONDS)

    def _close_gate(self) -> None:
        if self._gate >= 0:
            os.close(self._gate)
            self._gate = -1


def _supervise(profile: Profile, gate: int) -> None:
    """The daemon's whole life. What goes wrong before there is a log is told once there is one."""
    code = 1
    try:
        # Modules leave nothing to collect: looking through all of them again and again is for nothing.
        gc.disable()
        failed = _import_first()
        if os.read(gate, 1) == b"g":
            os.close(gate)
            os.chdir("/")
            os.umask(0o077)
            redirect_output(profile.logs / "supervisor.log")
            if failed is not None:
                raise failed
            run(profile)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _import_first() -> Exception | None:
    try:
        importlib.import_module(FIRST)
    except Exception as error:
        return error
    return None


def run(profile: Profile) -> None:
    """Supervise the profile's components in this process, until halted. Out of the login, and the network's routes first."""
    from pybernetes.cluster.renewal import Renewal

    if not profile.settings.simulated:
        from pybernetes.cluster import network, session

        session.leave(profile)
        network.ensure(profile)
    Supervisor(profile.run, profile.logs, lambda: components(profile.reread()), Renewal(profile)).run()

"""The supervisor's birth: a daemon that imports the components while its parent still checks and signs."""

import gc
import importlib
import os
import sys
import traceback
from dataclasses import dataclass
from typing import Self

from pybernetes.cluster.components import components
from pybernetes.cluster.profile import Profile
from pybernetes.cluster.supervisor import Supervisor, redirect_output

FIRST = "pybernetes.cluster.processes.apiserver"
"""Imported while the parent checks and signs: nothing else can begin before the API server serves."""


@dataclass(slots=True)
class Launch:
    """A supervisor that has been forked and waits for `go`, or is ended by `cancel`."""

    profile: Profile
    _gate: int

    @classmethod
    def begin(cls, profile: Profile) -> Self:
        """Fork the daemon; it detaches from the terminal, imports the API server, and waits."""
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            os.close(writer)
            os.setsid()
            if os.fork() == 0:
                _supervise(profile, reader)
            os._exit(0)
        os.close(reader)
        os.waitpid(child, 0)
        return cls(profile, writer)

    def go(self) -> None:
        """Everything is in place: start the components."""
        os.write(self._gate, b"g")
        os.close(self._gate)

    def cancel(self) -> None:
        """The start has failed: the daemon ends without having made anything."""
        os.close(self._gate)


def _supervise(profile: Profile, gate: int) -> None:
    code = 1
    try:
        # Modules leave nothing to collect: looking through all of them again and again is for nothing.
        gc.disable()
        importlib.import_module(FIRST)
        if os.read(gate, 1) == b"g":
            os.close(gate)
            os.chdir("/")
            os.umask(0o077)
            redirect_output(profile.logs / "supervisor.log")
            run(profile)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def run(profile: Profile) -> None:
    """Supervise the profile's components in this process, until halted. The network's routes come first."""
    from pybernetes.cluster import network
    from pybernetes.cluster.renewal import Renewal

    network.ensure(profile)
    Supervisor(profile.run, profile.logs, components(profile), Renewal(profile)).run()

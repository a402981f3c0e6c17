"""A cluster in the foreground: for what takes the end of a process for the end of a service (containers, supervisors)."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pybernetes.cluster import control, locks, pidfile
from pybernetes.cluster.endings import Outsider
from pybernetes.cluster.profile import Profile

TOLD = {signal.SIGTERM, signal.SIGINT}


def attend(profile: Profile) -> bool:
    """Stay until the cluster has ended, or somebody tells this process to (SIGTERM, Ctrl-C): then True.

    A cluster that is restarted meanwhile goes on. Reaps what is left to this process where it is the first of a
    container. For the main thread.
    """
    with _signals() as signals:
        while pid := _supervisor(profile):
            with suppress(ProcessLookupError):
                if _is_told(signals, Outsider(pid)):
                    return True
    return False


def _supervisor(profile: Profile) -> int:
    """Its process, once the verb is over that may be at work on the cluster; 0 if there is none."""
    with locks.of_profile(profile.name):
        return pidfile.read(profile.run / control.SUPERVISOR)


def _is_told(signals: socket.socket, supervisor: Outsider) -> bool:
    """Whether a signal to end has come; False once the supervisor has ended."""
    while not supervisor.has_ended():
        _reap()
        told, ended = signals.fileno(), supervisor.waitable
        if told in select.select([told, *ended], [], [], supervisor.pause)[0] and TOLD & set(signals.recv(4096)):
            return True
    return False


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket from which the numbers of signals can be read that have come."""
    reader, writer = socket.socketpair()
    handled = (*TOLD, signal.SIGCHLD)
    before = {number: signal.signal(number, lambda *_: None) for number in handled}
    with reader, writer:
        for end in (reader, writer):
            end.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)

"""A container's cgroup: one path in every hierarchy of the host."""

import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterator, Sequence

from pybernetes.runtime.cgroups.layout import Hierarchy, find_hierarchies, with_controller


class Cgroup:
    """The cgroup at the absolute path `path`. Creating and removing are safe to repeat."""

    def __init__(self, path: str, hierarchies: Sequence[Hierarchy] | None = None) -> None:
        self.path = path
        self.hierarchies = tuple(find_hierarchies() if hierarchies is None else hierarchies)

    def directory(self, controller: str) -> str | None:
        """Where the files of `controller` are; None if the host lacks it."""
        hierarchy = with_controller(self.hierarchies, controller)
        return hierarchy.at(self.path) if hierarchy else None

    @property
    def unified(self) -> str | None:
        """The directory in the v2 hierarchy, which on a hybrid host has no controllers."""
        return next((each.at(self.path) for each in self.hierarchies if each.unified), None)

    def has_unified(self, controller: str) -> bool:
        """Whether the controller is v2's on this host."""
        return self.unified is not None and self.directory(controller) == self.unified

    def create(self) -> None:
        for hierarchy in self.hierarchies:
            _create(hierarchy, self.path)

    def enter(self, pid: int = 0) -> None:
        """Move the calling process, or another, which has one thread, into the v1 hierarchies.

        Written to `tasks` and as 0, since only that way is the kernel spared the lock over all forks and exits.
        """
        for hierarchy in self.hierarchies:
            if not hierarchy.unified:
                write(os.path.join(hierarchy.at(self.path), "tasks"), str(pid))

    def enter_unified(self) -> None:
        """The same for v2. A clone into the cgroup is much cheaper where there is a clone to make."""
        if self.unified:
            write(os.path.join(self.unified, "cgroup.procs"), "0")

    def open_unified(self) -> int | None:
        """A descriptor of the v2 directory, to clone into."""
        return os.open(self.unified, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if self.unified else None

    def is_shared_out(self) -> bool:
        """Whether it hands controllers on to those below it, so that it may have no processes itself (v2)."""
        return bool(self.unified and _read(os.path.join(self.unified, "cgroup.subtree_control")).strip())

    def pids(self) -> set[int]:
        """The processes in it and below it, but for those of other PID namespaces.

        On a hybrid host a process that has only just begun may be in the v2 hierarchy only.
        """
        counting = with_controller(self.hierarchies, "pids") or self.hierarchies[0]
        places = {counting.at(self.path), *([self.unified] if self.unified else [])}
        files = (os.path.join(directory, "cgroup.procs") for place in places for directory in _tree(place))
        return {int(pid) for file in files for pid in _read(file).split()} - {0}

    def kill(self, patience: float = 5.0, sparing: "Cgroup | None" = None) -> bool:
        """SIGKILL everything in it, until nothing is left or `patience` seconds are over; says whether it is empty.

        What is in `sparing`, a part of it, lives on.
        """
        deadline = time.monotonic() + patience
        while pids := self.pids() - (sparing.pids() if sparing else set()):
            if sparing is None:
                self._kill_at_once()
            for pid in pids:
                _kill(pid)
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    def _kill_at_once(self) -> None:
        """By the kernel, so that nothing gets away by forking (Linux 5.14)."""
        if self.unified:
            with contextlib.suppress(OSError):
                write(os.path.join(self.unified, "cgroup.kill"), "1")

    def remove(self, patience: float = 1.0) -> None:
        """Remove it, with what a container made below it. The last exits may still be under way, so EBUSY is awaited.

        What can go goes. Raises OSError, which says who is in the way.
        """
        deadline = time.monotonic() + patience
        failures: list[OSError] = []
        for hierarchy in self.hierarchies:
            for directory in reversed(list(_tree(hierarchy.at(self.path)))):
                try:
                    _remove(directory, deadline)
                except OSError as error:
                    failures.append(error)
        if failures:
            raise failures[0]

    def remove_if_empty(self) -> bool:
        """Remove it unless a process or another cgroup is in it; says whether it is gone."""
        gone = True
        for hierarchy in self.hierarchies:
            try:
                os.rmdir(hierarchy.at(self.path))
            except FileNotFoundError:
                continue
            except OSError:
                gone = False
        return gone

    def oom_kills(self) -> int:
        """How many processes the kernel has killed here for want of memory."""
        directory = self.directory("memory")
        if directory is None:
            return 0
        text = _read(os.path.join(directory, "memory.events")) or _read(os.path.join(directory, "memory.oom_control"))
        counts = dict(line.split() for line in text.splitlines())
        return int(counts.get("oom_kill", 0))


def write(path: str, value: str) -> None:
    """Write a control file in one system call."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _create(hierarchy: Hierarchy, path: str) -> None:
    directory = hierarchy.mountpoint
    for part in path.strip("/").split("/"):
        parent, directory = directory, os.path.join(directory, part)
        if hierarchy.unified:
            _delegate(parent, hierarchy.controllers)
        try:
            os.mkdir(directory)
            os.chmod(directory, 0o755)  # whatever the umask: programs that are not root read their limits here
        except FileExistsError:
            pass
        if "cpuset" in hierarchy.controllers and not hierarchy.unified:
            _inherit_cpuset(parent, directory)


def _delegate(directory: str, controllers: frozenset[str]) -> None:
    file = os.path.join(directory, "cgroup.subtree_control")
    missing = controllers & {"cpu", "cpuset", "io", "memory", "pids", "hugetlb"} - set(_read(file).split())
    if not missing:
        return
    signed = [f"+{controller}" for controller in sorted(missing)]
    try:
        write(file, " ".join(signed))
        return
    except OSError as error:
        if error.errno == errno.EBUSY:
            why = _occupants(directory) or "it has processes"
            raise OSError(errno.EBUSY, f"cgroup cannot be shared out: {why}", directory) from error
    # The kernel may refuse one alone (cpu, while a real-time process is anywhere), whose limits then cannot be set.
    for each in signed:
        with contextlib.suppress(OSError):
            write(file, each)


def _inherit_cpuset(parent: str, directory: str) -> None:
    """A v1 cpuset starts empty, and nothing can enter an empty one: neither it nor one below it.

    Who made it may not have come to this yet, so whoever finds it empty fills it.
    """
    for name in ("cpuset.cpus", "cpuset.mems"):
        path = os.path.join(directory, name)
        if not _read(path).strip():
            write(path, _read(os.path.join(parent, name)))


def _tree(directory: str) -> Iterator[str]:
    """The directory and those below it, parents first."""
    for here, _, _ in os.walk(directory):
        yield here


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _remove(directory: str, deadline: float) -> None:
    while True:
        try:
            return os.rmdir(directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            if time.monotonic() > deadline:
                raise OSError(errno.EBUSY, _occupants(directory) or os.strerror(errno.EBUSY), directory) from error
            time.sleep(0.001)


def _occupants(directory: str) -> str:
    """Who is in the cgroup itself: "process 12 (sleep 1000) is in it"."""
    found = [f"{pid} ({_command(pid)})" for pid in _read(os.path.join(directory, "cgroup.procs")).split()]
    if not found:
        return ""
    return f"process {found[0]} is in it" if len(found) == 1 else f"processes {', '.join(found)} are in it"


def _command(pid: str) -> str:
    return _read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()[:60] or _read(f"/proc/{pid}/comm").strip() or "?"

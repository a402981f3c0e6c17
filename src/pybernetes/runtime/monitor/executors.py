"""Who executes the bundle: the builtin launcher, or an OCI runtime's program."""

from typing import Any, Protocol

from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.launcher.start import Started, start_container
from pybernetes.runtime.monitor.bundle import owns_pids, read_config


class Executor(Protocol):
    """Starts one bundle, and leaves nothing of it."""

    config: dict[str, Any]
    owns_pids: bool
    """Whether the container's processes all end with its first one, since that is the first of their namespace."""

    def start(self, stdio: tuple[int, int, int]) -> Started:
        """Its program may wait to be launched. Raises LaunchError."""
        ...

    def launch(self) -> None:
        """Have the program begin, unless it has, also if another has started it. Raises LaunchError."""
        ...

    def end_other(self) -> None:
        """End what another has started who was killed before it has told of it."""
        ...

    def clean_up(self) -> None:
        """Remove the cgroup and the runtime's own state. Safe to repeat."""
        ...


class Builtin:
    """The launcher in this very process."""

    def __init__(self, bundle: str) -> None:
        self._bundle = bundle
        self.config = read_config(bundle)
        self.owns_pids = owns_pids(self.config)

    def start(self, stdio: tuple[int, int, int]) -> Started:
        return start_container(self._bundle, self.config, stdio)

    def launch(self) -> None:
        """It has begun."""

    def end_other(self) -> None:
        self.clean_up()

    def clean_up(self) -> None:
        cgroup = Cgroup(self.config["linux"]["cgroupsPath"])
        cgroup.kill()
        cgroup.remove()


def choose_executor(request: dict[str, Any]) -> Executor:
    """The executor that `request["runtime"]` names: empty for builtin, else a program's path."""
    if request["runtime"]:
        from pybernetes.runtime.monitor.external import External

        return External(request)
    return Builtin(request["directory"])

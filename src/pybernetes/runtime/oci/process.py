"""The process of a container: command, environment, identity, privileges."""

from collections.abc import Sequence
from typing import Any, Protocol

from pybernetes.cri import types as t
from pybernetes.cri.errors import InvalidError
from pybernetes.runtime.oci import capabilities
from pybernetes.runtime.oci.users import User

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ImageDefaults(Protocol):
    """What an image's config says about running it."""

    @property
    def entrypoint(self) -> Sequence[str]: ...
    @property
    def cmd(self) -> Sequence[str]: ...
    @property
    def env(self) -> Sequence[str]: ...
    @property
    def user(self) -> str: ...
    @property
    def working_dir(self) -> str: ...
    @property
    def stop_signal(self) -> str: ...


def security_of(config: t.ContainerConfig) -> t.LinuxContainerSecurityContext:
    context = config.linux.security_context if config.linux else None
    return context or t.LinuxContainerSecurityContext()


def build_process(config: t.ContainerConfig, image: ImageDefaults, user: User, hostname: str) -> dict[str, Any]:
    """OCI `process`. Raises InvalidError if neither the image nor the container names a command."""
    context = security_of(config)
    resources = config.linux.resources if config.linux else None
    return {
        "terminal": config.tty,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups), "umask": 0o022},
        "args": _command(config, image),
        "env": _environment(config, image, user, hostname),
        "cwd": config.working_dir or image.working_dir or "/",
        "capabilities": capabilities.sets(context.capabilities, context.privileged),
        "noNewPrivileges": context.no_new_privs,
        "oomScoreAdj": resources.oom_score_adj if resources else 0,
    }


def _command(config: t.ContainerConfig, image: ImageDefaults) -> list[str]:
    """A command of the container's replaces the image's entrypoint, and then also its arguments."""
    command = config.command or list(image.entrypoint)
    args = config.args or ([] if config.command else list(image.cmd))
    if not command and not args:
        raise InvalidError("no command specified")
    return [*command, *args]


def _environment(config: t.ContainerConfig, image: ImageDefaults, user: User, hostname: str) -> list[str]:
    values = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname}
    if config.tty:
        values["TERM"] = "xterm"
    values.update(entry.partition("=")[::2] for entry in image.env)
    values.update((pair.key, pair.value.decode(errors="surrogateescape")) for pair in config.envs)
    values.setdefault("HOME", user.home)
    return [f"{key}={value}" for key, value in values.items()]

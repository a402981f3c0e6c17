"""The last steps of a container's process, inside its root: identity, privileges, working directory, execve."""

import errno
import os
import resource
import signal
import stat
from typing import Any, NoReturn

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.launcher.capabilities import drop_bounding, possible, set_capabilities
from pybernetes.runtime.launcher.errors import LaunchError

_CHANGED_SIGNALS = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD),  # by zygote and monitor
    *(signal.SIGPIPE, signal.SIGXFSZ),  # by the interpreter
)
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def set_oom_score(value: int | None) -> None:
    """A refusal (a lower value without CAP_SYS_RESOURCE) leaves the score as it is."""
    if value is None:
        return
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(value))
    except PermissionError:
        return


def run_process(process: dict[str, Any], seccomp: bytes) -> NoReturn:
    """Become the process that the OCI `process` describes. No descriptor above 2 may be left that outlives execve."""
    have = possible()
    sets = process.get("capabilities") or {}
    no_new_privs = process.get("noNewPrivileges", False)
    _set_rlimits(process.get("rlimits", []))
    if no_new_privs:
        sys.prctl(sys.PR_SET_NO_NEW_PRIVS, 1)
    elif seccomp:
        sys.load_seccomp(seccomp)
    drop_bounding(sets.get("bounding", []), have)
    _set_user(process["user"])
    _change_directory(process["cwd"])
    set_capabilities(sets, have)
    if no_new_privs and seccomp:
        sys.load_seccomp(seccomp)
    _execute(process["args"], process.get("env", []))


def _set_rlimits(limits: list[dict[str, Any]]) -> None:
    for limit in limits:
        number = getattr(resource, limit["type"])
        _, highest = resource.getrlimit(number)
        soft, hard = limit["soft"], limit["hard"]
        if highest != resource.RLIM_INFINITY and (hard > highest or hard == resource.RLIM_INFINITY):
            hard, soft = highest, min(soft, highest)
        resource.setrlimit(number, (soft, hard))


def _set_user(user: dict[str, Any]) -> None:
    sys.prctl(sys.PR_SET_KEEPCAPS, 1)
    os.setgroups(user.get("additionalGids", []))
    os.setresgid(user["gid"], user["gid"], user["gid"])
    os.setresuid(user["uid"], user["uid"], user["uid"])
    sys.prctl(sys.PR_SET_KEEPCAPS, 0)
    os.umask(user.get("umask", 0o022))


def _change_directory(path: str) -> None:
    """chdir, and refuse a directory that is not below the root: through it the host could be reached."""
    try:
        os.chdir(path)
        if not os.getcwd().startswith("/"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if os.stat(".").st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise LaunchError(f'chdir to cwd ("{path}") set in config.json failed: {reason}') from error


def _execute(args: list[str], env: list[str]) -> NoReturn:
    environment = dict(entry.partition("=")[::2] for entry in env)
    path = _find(args[0], environment.get("PATH", _DEFAULT_PATH))
    _restore_signals()
    try:
        os.execve(path, args, environment)
    except OSError as error:
        raise LaunchError(f"exec {path}: {(error.strerror or '').lower()}") from error
    except ValueError as error:
        raise LaunchError(f'exec: "{args[0]}": invalid argument') from error


def _restore_signals() -> None:
    """What is ignored stays so over execve, and the monitor ignores more than a program expects."""
    for number in _CHANGED_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _find(name: str, path: str) -> str:
    """Search as execvp does, and say what is wrong in runc's words."""
    if "/" in name:
        problem = _problem(name)
        if problem == "no such file or directory":
            problem = f"stat {name}: {problem}"
        if problem:
            raise LaunchError(f'exec: "{name}": {problem}')
        return name
    for directory in path.split(":"):
        candidate = os.path.join(directory or ".", name)
        if name and not _problem(candidate):
            return candidate
    raise LaunchError(f'exec: "{name}": executable file not found in $PATH')


def _problem(path: str) -> str:
    try:
        info = os.stat(path)
    except OSError as error:
        return (error.strerror or "").lower()
    if stat.S_ISDIR(info.st_mode):
        return "is a directory"
    return "" if os.access(path, os.X_OK, effective_ids=True) else "permission denied"

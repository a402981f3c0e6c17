"""Containers whose program cannot be started: it is not there, cannot be executed, or what it is to run in cannot be made."""

from __future__ import annotations

import json
import re
from posixpath import dirname

from pybernetes.api.types import core_v1 as v1
from pybernetes.explain.causes import Cause
from pybernetes.explain.snapshot import AnyContainer, Snapshot
from pybernetes.explain.steps import change
from pybernetes.explain.terms import listed

_NOT_IN_PATH = re.compile(r'exec: "(?P<name>[^"]+)": executable file not found in \$PATH')
_NO_FILE = re.compile(r'exec: "(?P<name>[^"]+)": (?:stat [^:]+: )?no such file or directory')
_NO_INTERPRETER = re.compile(r"exec (?P<name>/[^\s:]+): no such file or directory")
_FORBIDDEN = re.compile(r'exec:? "?(?P<name>[^":]+)"?: permission denied')
_FORMAT = re.compile(r'exec:? "?(?P<name>[^":]+)"?: exec format error')
_MOUNT = re.compile(r'error mounting "[^"]*" to rootfs at "(?P<path>[^"]+)": (?P<why>.+)', re.DOTALL)
_DIRECTORY = re.compile(
    r'chdir to cwd \("(?P<path>[^"]+)"\) set in config\.json failed: (?P<why>[a-z ]+)'
    r"|mkdir (?P<made>/[^:\s]*): (?P<cause>[a-z -]+)"
)
_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

_WORDS = (
    (_NOT_IN_PATH, "there is no program {0} in image {1} ({2})"),
    (_NO_FILE, "there is no file {0} in image {1} ({2})"),
    (
        _NO_INTERPRETER,
        "{0} is there, but not what has to run it ({2}): the program of its #! line, which must not end in a carriage "
        "return, or the loader of a binary that is linked dynamically",
    ),
    (_FORBIDDEN, "{0} of image {1} may not be executed ({2}): its mode lacks x"),
    (_FORMAT, "{0} of image {1} is not for this machine's processor, or a script without #! ({2})"),
)


def no_such_program(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, said: str) -> Cause | None:
    """A command that the image does not have, or that cannot be executed; None if the words are about something else."""
    where = "command" if container.command else "args" if container.args else "the image's own command"
    for pattern, text in _WORDS:
        if not (found := pattern.search(said)):
            continue
        name = found["name"]
        if pattern in (_NOT_IN_PATH, _NO_FILE) and len(name.split()) > 1:
            return _one_word(snapshot, pod, container, name, said)
        if pattern in (_NOT_IN_PATH, _NO_FILE) and (hidden := _hidden(snapshot, pod, container, name, said)):
            return hidden
        step = f"correct command of container {container.name}: {change(snapshot, pod)}"
        return Cause(text.format(name, container.image, where), seen=(said,), steps=(*_hints(pattern), step))
    return None


def _one_word(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, name: str, said: str) -> Cause:
    """A command line as a single item: no shell takes it apart."""
    words = ", ".join(json.dumps(word) for word in name.split())
    step = f"command: [{words}], or with a shell [sh, -c, {json.dumps(name)}]: {change(snapshot, pod)}"
    return Cause(
        f'"{name}" is taken as the name of one program: each word is an item of its own', seen=(said,), steps=(step,)
    )


def cannot_start(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, said: str) -> Cause | None:
    """Whatever kept a container from its first instruction; None if the words are about something else."""
    if found := _MOUNT.search(said):
        return _mount(snapshot, pod, container, found["path"], found["why"], said)
    if found := _DIRECTORY.search(said):
        step = f"correct workingDir of container {container.name}: {change(snapshot, pod)}"
        path, why = (found["path"], found["why"]) if found["path"] else (found["made"], found["cause"])
        return Cause(f"its working directory {path} cannot be entered: {why}", seen=(said,), steps=(step,))
    return no_such_program(snapshot, pod, container, said)


def _hints(pattern: re.Pattern[str]) -> tuple[str, ...]:
    if pattern is not _NO_INTERPRETER:
        return ()
    return (
        "a script: begin it with #!/bin/sh, with Unix line ends; a binary: link it statically, or take an image with its libraries",
    )


def _hidden(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, name: str, said: str) -> Cause | None:
    """A volume over the place where the program ought to be: the image's own files are not seen below it."""
    places = (dirname(name),) if "/" in name else _PATH
    over = [
        mount
        for mount in container.volume_mounts
        if any(f"{place}/".startswith(mount.mount_path.rstrip("/") + "/") for place in places)
    ]
    if not over:
        return None
    mounts = listed([f"volume {mount.name} at {mount.mount_path}" for mount in over])
    what = f"there is no program {name}: {mounts} hides what image {container.image} has there"
    step = f"mount it somewhere else, or put the program into it: {change(snapshot, pod)}"
    return Cause(what, seen=(said,), steps=(step,))


def _mount(snapshot: Snapshot, pod: v1.Pod, container: AnyContainer, path: str, why: str, said: str) -> Cause:
    mount = next((each for each in container.volume_mounts if each.mount_path.rstrip("/") == path.rstrip("/")), None)
    named = f"volume {mount.name}" if mount is not None else "a volume"
    edit = change(snapshot, pod)
    if "not a directory" in why.lower():
        what = f"{named} cannot be mounted at {path}: one of the two is a file, the other a directory"
        single = f"for a single file of the volume: subPath: {path.rpartition('/')[2]} beside that mountPath: {edit}"
        return Cause(what, seen=(said,), steps=(single,))
    return Cause(f"{named} cannot be mounted at {path}: {why.strip()}", seen=(said,), steps=(edit,))

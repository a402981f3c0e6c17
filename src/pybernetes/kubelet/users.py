"""`hostUsers: false` (KEP-127): each such pod has a range of the node's ids to itself.

A pod's range is told by a file of its directory, in upstream's form, and is free again with the directory: so there is
nothing else to keep, and a kubelet that starts anew finds what its pods have.
"""

import json
import os
import threading
import zlib
from pathlib import Path

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.cri.service import RuntimeService
from pybernetes.kubelet.keeping import write_file
from pybernetes.kubelet.objects import ConfigError

LENGTH = 1 << 16
_RANGES = (1 << 32) // LENGTH - 2
"""All but the first, which is the node's own, and the last, which has an id that means none."""
_FILE = "userns"
_choosing = threading.Lock()


def wants_users(pod: v1.Pod) -> bool:
    """Whether the pod is to have a user namespace of its own."""
    return pod.spec.host_users is False


async def check_handler(runtime: RuntimeService, handler: str) -> None:
    """Raises ConfigError, in upstream's words, if the runtime's handler has no user namespaces."""
    handlers = (await runtime.status()).runtime_handlers
    if any(each.name == handler and each.features and each.features.user_namespaces for each in handlers):
        return
    who = f'RuntimeClass handler "{handler}" does' if handler else "runtime does"
    raise ConfigError(f"can't set `spec.hostUsers: false`, {who} not support user namespaces")


def user_namespace(pods: Path, uid: str) -> t.UserNamespace:
    """The range of the pod `uid`, chosen at the first call; `pods` is the directory of all pods. Blocking.

    Raises ConfigError if there is none left, or if the pod's file cannot be understood.
    """
    with _choosing:
        first = _read(pods / uid / _FILE)
        if first is None:
            first = _choose(pods)
            _write(pods / uid / _FILE, first)
    ids = [t.IDMapping(host_id=first, container_id=0, length=LENGTH)]
    return t.UserNamespace(mode=t.NamespaceMode.POD, uids=ids, gids=ids)


def _choose(pods: Path) -> int:
    """The next free range. Nodes that share a machine begin at different places, so that their pods share none."""
    taken = {_read(path) for path in pods.glob(f"*/{_FILE}")}
    begin = zlib.crc32(os.fsencode(pods))
    for number in range(_RANGES):
        first = (1 + (begin + number) % _RANGES) * LENGTH
        if first not in taken:
            return first
    raise ConfigError("create user namespace: could not find an empty slot to allocate a user namespace")


def _read(path: Path) -> int | None:
    try:
        found = json.loads(path.read_bytes())
        (uids,), (gids,) = found["uidMappings"], found["gidMappings"]
        if uids != gids or uids["containerId"] != 0 or uids["length"] != LENGTH:
            raise ValueError("not one range of ids with root in it")
        return int(uids["hostId"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"user namespace: invalid user namespace mappings file: {error}") from error


def _write(path: Path, first: int) -> None:
    """Whole, and on the disk before a container has the ids: no other pod may get them after a loss of power."""
    ids = [{"hostId": first, "containerId": 0, "length": LENGTH}]
    write_file(path, json.dumps({"uidMappings": ids, "gidMappings": ids}).encode())

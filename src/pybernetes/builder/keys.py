"""What a step's result is remembered by: the files before it, what is done, and digests of all that goes in. Pure."""

import hashlib
from collections.abc import Sequence

import msgspec

from pybernetes.cri.building import BindMount, CacheMount, Copy, FileMount, Operation, Run, SocketMount, Source, Step

_VERSION = b"1"


def key_of(step: Step, digests: Sequence[str], private: Sequence[str] = ()) -> str:
    """In hex. `digests` are of the files that are copied or mounted, in order; those say what the sources are.

    `private` are names of variables and targets of files whose values are left out: secrets, and the way to proxies.
    """
    hash = hashlib.sha256(_VERSION)
    for part in (step.parent.chain, *digests):
        hash.update(part.encode() + b"\n")
    hash.update(msgspec.json.encode(_public(step.operation, private)))
    return hash.hexdigest()


def _public(operation: Operation, private: Sequence[str]) -> Operation:
    if isinstance(operation, Copy):
        return msgspec.structs.replace(operation, source=Source())
    if isinstance(operation, Run):
        env = tuple(entry for entry in operation.env if entry.partition("=")[0] not in private)
        mounts = tuple(
            msgspec.structs.replace(mount, source=Source())
            if isinstance(mount, BindMount)
            else msgspec.structs.replace(mount, base=Source())
            if isinstance(mount, CacheMount)
            else msgspec.structs.replace(mount, data=b"")
            if isinstance(mount, FileMount) and mount.target in private
            else msgspec.structs.replace(mount, path="")
            if isinstance(mount, SocketMount)
            else mount
            for mount in operation.mounts
        )
        return msgspec.structs.replace(operation, env=env, mounts=mounts)
    return operation

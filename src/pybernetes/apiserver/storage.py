"""Which store holds the objects: the file or the etcd servers that the options name."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from msgspec import Struct

from pybernetes.store.backend import Backend
from pybernetes.store.sqlite import open_store

MEMORY = "sqlite::memory:"


class EtcdAccess(Struct, frozen=True):
    """Files of the TLS credentials, and what keys begin with."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    prefix: str = "/registry"


async def open_backend(storage: str, access: EtcdAccess = EtcdAccess()) -> Backend:
    """`sqlite:<path>`, `sqlite::memory:` (a new store that ends with the process), or `etcd[s]://HOST:PORT[,...]`.

    Raises what the backend's `open_store` raises.
    """
    if storage == MEMORY:
        directory = tempfile.mkdtemp(prefix="pybernetes-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        return await open_store(Path(directory) / "store.db")
    if storage.startswith("sqlite:"):
        return await open_store(Path(storage.removeprefix("sqlite:")))
    from pybernetes.store import etcd

    return await etcd.open_store(
        storage, ca=access.ca, certificate=access.certificate, key=access.key, prefix=access.prefix
    )

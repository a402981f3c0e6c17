"""Blobs on their way in: hashed as they arrive, so that a blob is read no second time."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from pybernetes.aio.threads import finish
from pybernetes.registry.errors import RegistryError
from pybernetes.registry.storage import Storage

_READ = 1 << 20


class Upload:
    """One blob: `offset` bytes of it are here. One request at a time may add to it (`lock`)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.lock = asyncio.Lock()
        self._hash = hashlib.sha256()

    def resume(self) -> None:
        """Take up what is in the file. Blocks."""
        with self.path.open("rb") as file:
            while chunk := file.read(_READ):
                self._hash.update(chunk)
                self.offset += len(chunk)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    async def append(self, chunks: AsyncIterator[bytes]) -> None:
        """What has arrived stays, also when the sender goes away. Raises OSError when the disk is full."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            async for chunk in chunks:
                await finish(asyncio.to_thread(self._write, descriptor, chunk))
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            written = os.pwrite(descriptor, view, self.offset)
            self._hash.update(view[:written])
            self.offset += written
            view = view[written:]


class Uploads:
    """Uploads by id and repository. Those of a process that ended are found again by their files."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[str, Upload] = {}

    def begin(self) -> tuple[str, Upload]:
        id = secrets.token_hex(16)
        upload = self._known[id] = Upload(self._storage.uploads / id)
        upload.path.touch(mode=0o600)
        return id, upload

    async def find(self, id: str) -> Upload:
        """Raises RegistryError."""
        if upload := self._known.get(id):
            return upload
        upload = Upload(self._storage.uploads / id)
        try:
            await asyncio.to_thread(upload.resume)
        except FileNotFoundError:
            raise RegistryError("BLOB_UPLOAD_UNKNOWN", {"upload": id}) from None
        return self._known.setdefault(id, upload)

    def check(self, id: str, upload: Upload) -> None:
        """Raises RegistryError if the upload has been finished or cancelled."""
        if self._known.get(id) is not upload:
            raise RegistryError("BLOB_UPLOAD_UNKNOWN", {"upload": id})

    async def finish(self, id: str, upload: Upload, repository: str, digest: str) -> None:
        """The blob is whole: it becomes the repository's. Raises RegistryError, after which the upload is gone."""
        if upload.digest != digest:
            self.cancel(id)
            raise RegistryError("DIGEST_INVALID", {"digest": digest, "content": upload.digest})
        await asyncio.to_thread(self._storage.adopt, upload.path, digest)
        await asyncio.to_thread(self._storage.add_blob, repository, digest)
        self._known.pop(id, None)

    def cancel(self, id: str) -> None:
        self._known.pop(id, None)
        (self._storage.uploads / id).unlink(missing_ok=True)

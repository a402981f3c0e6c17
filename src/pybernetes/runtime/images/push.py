"""Pushing an image to its registry: blobs that are missing there, then the manifest."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack

from msgspec import Struct

from pybernetes.aio.threads import Worker
from pybernetes.cri.service import PullProgress
from pybernetes.runtime.images.content import Content
from pybernetes.runtime.images.flight import Progress
from pybernetes.runtime.images.index import Record
from pybernetes.runtime.images.registry.client import Access, Repository
from pybernetes.runtime.images.registry.credentials import Credential
from pybernetes.runtime.images.registry.http import Http
from pybernetes.runtime.images.registry.options import RegistryOptions, upstream
from pybernetes.wire.images import documents
from pybernetes.wire.images.documents import Descriptor, Manifest
from pybernetes.wire.images.reference import Reference

_CHUNK = 8 << 20


class _Blob(Struct, frozen=True):
    """A blob, open as `fd`."""

    about: Descriptor
    fd: int


class Pusher:
    """Uploads from the content store."""

    def __init__(self, content: Content, worker: Worker, http: Http, options: RegistryOptions) -> None:
        self._content = content
        self._worker = worker
        self._http = http
        self._options = options

    async def push(
        self,
        record: Record,
        reference: Reference,
        credential: Credential | None,
        progress: Progress | None = None,
    ) -> str:
        """Upload the image under the name; returns the manifest's digest. Safe to repeat. Raises RegistryError."""
        endpoint = upstream(reference.domain, self._options)
        repository = Repository(self._http, Access(endpoint, reference.path, credential, "pull,push"))
        data = await self._worker.run(self._content.read, record.manifest)
        manifest = documents.parse(data)
        assert isinstance(manifest, Manifest)
        sources = _repositories_at(reference.domain, record.digests)
        mount_from = next((path for path in sources if path != reference.path), "")
        with ExitStack() as opened:
            # All at once and before anything is sent: an image that is removed meanwhile is pushed whole all the same.
            blobs = [_Blob(blob, self._open(blob, opened)) for blob in _distinct(*manifest.layers, manifest.config)]
            for blob in blobs:
                await self._push_blob(repository, blob, mount_from, progress or _nobody)
        await repository.put_manifest(reference.object, data, documents.media_type_of(manifest))
        return record.manifest

    def _open(self, blob: Descriptor, opened: ExitStack) -> int:
        fd = self._content.open(blob.digest)
        opened.callback(os.close, fd)
        return fd

    async def _push_blob(self, repository: Repository, blob: _Blob, mount_from: str, progress: Progress) -> None:
        digest, size = blob.about.digest, blob.about.size
        progress(PullProgress(digest, 0, size))
        if not await repository.has_blob(digest):
            await self._upload(repository, blob, mount_from, progress)
        progress(PullProgress(digest, size, size))

    async def _upload(self, repository: Repository, blob: _Blob, mount_from: str, progress: Progress) -> None:
        digest, offset = blob.about.digest, 0
        location = await repository.start_upload(digest, mount_from)
        if not location:
            return
        while chunk := await self._worker.finish(os.pread, blob.fd, _CHUNK, offset):
            location = await repository.upload_chunk(location, offset, chunk)
            offset += len(chunk)
            progress(PullProgress(digest, offset, blob.about.size))
        await repository.finish_upload(location, digest)


def _distinct(*blobs: Descriptor) -> list[Descriptor]:
    return list({blob.digest: blob for blob in blobs}.values())


def _nobody(progress: PullProgress) -> None:
    """Nobody wants to know."""


def _repositories_at(domain: str, digests: Iterable[str]) -> list[str]:
    """Repositories of the same registry that are known to have the image."""
    names = (digest.partition("@")[0] for digest in digests)
    return [name.removeprefix(f"{domain}/") for name in names if name.startswith(f"{domain}/")]

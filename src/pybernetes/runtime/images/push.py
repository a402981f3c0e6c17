"""Pushing an image to its registry: blobs that are missing there, then the manifest."""

import os
from collections.abc import Iterable

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
        for blob in {blob.digest: blob for blob in (*manifest.layers, manifest.config)}.values():
            mount_from = next((path for path in sources if path != reference.path), "")
            await self._push_blob(repository, blob, mount_from, progress or _nobody)
        await repository.put_manifest(reference.object, data, documents.media_type_of(manifest))
        return record.manifest

    async def _push_blob(self, repository: Repository, blob: Descriptor, mount_from: str, progress: Progress) -> None:
        progress(PullProgress(blob.digest, 0, blob.size))
        if not await repository.has_blob(blob.digest):
            await self._upload(repository, blob, mount_from, progress)
        progress(PullProgress(blob.digest, blob.size, blob.size))

    async def _upload(self, repository: Repository, blob: Descriptor, mount_from: str, progress: Progress) -> None:
        location = await repository.start_upload(blob.digest, mount_from)
        if not location:
            return
        fd = self._content.open(blob.digest)
        try:
            offset = 0
            while chunk := await self._worker.run(os.pread, fd, _CHUNK, offset):
                location = await repository.upload_chunk(location, offset, chunk)
                offset += len(chunk)
                progress(PullProgress(blob.digest, offset, blob.size))
        finally:
            os.close(fd)
        await repository.finish_upload(location, blob.digest)


def _nobody(progress: PullProgress) -> None:
    """Nobody wants to know."""


def _repositories_at(domain: str, digests: Iterable[str]) -> list[str]:
    """Repositories of the same registry that are known to have the image."""
    names = (digest.partition("@")[0] for digest in digests)
    return [name.removeprefix(f"{domain}/") for name in names if name.startswith(f"{domain}/")]

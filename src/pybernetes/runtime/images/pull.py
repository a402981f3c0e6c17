"""Pulling: from a reference to a record, over mirrors and the registry itself."""

import asyncio

from msgspec import Struct

from pybernetes.aio.backoff import Backoff
from pybernetes.aio.clock import Clock
from pybernetes.aio.threads import Worker
from pybernetes.cri.service import PullProgress
from pybernetes.runtime.images.assemble import Assembler
from pybernetes.runtime.images.content import Content, Ingest
from pybernetes.runtime.images.errors import ResolveError
from pybernetes.runtime.images.flight import Progress
from pybernetes.runtime.images.index import Record
from pybernetes.runtime.images.registry.client import Access, Repository
from pybernetes.runtime.images.registry.credentials import Credential
from pybernetes.runtime.images.registry.errors import NetworkError, RegistryError, UnknownImageError
from pybernetes.runtime.images.registry.http import CONNECT_SECONDS, Http
from pybernetes.runtime.images.registry.options import Endpoint, RegistryOptions, endpoints
from pybernetes.wire.images.documents import Descriptor
from pybernetes.wire.images.reference import Reference

_SECOND_OPINION_SECONDS = 1.5
_ATTEMPTS = 5
WRITE_BYTES = 1 << 20


class Resolved(Struct, frozen=True):
    """What a name stands for now, and who has it."""

    repository: Repository
    digest: str


class Puller:
    """Downloads into the content store. Safe to use for several images at once."""

    def __init__(
        self, content: Content, assembler: Assembler, worker: Worker, http: Http, options: RegistryOptions, clock: Clock
    ) -> None:
        self._content = content
        self._assembler = assembler
        self._worker = worker
        self._http = http
        self._options = options
        self._clock = clock
        self._downloads = asyncio.Semaphore(options.parallel_downloads)

    async def resolve(self, reference: Reference, credential: Credential | None) -> Resolved:
        """Ask mirrors, then the registry. Raises UnknownImageError, ResolveError.

        A mirror that lacks the image is not the last word, but if it answered and the registry cannot be reached,
        then the image is unknown; the registry gets 1.5 s for that second opinion.
        """
        unknown: UnknownImageError | None = None
        failure: RegistryError | None = None
        for endpoint in endpoints(reference.domain, self._options):
            try:
                seconds = _SECOND_OPINION_SECONDS if unknown else CONNECT_SECONDS
                return await self._resolve_at(endpoint, reference, credential, seconds)
            except UnknownImageError:
                unknown = UnknownImageError(f"{reference}: not found")
            except RegistryError as error:
                failure = failure or error
        if unknown:
            raise unknown
        raise ResolveError(str(failure)) from failure

    async def _resolve_at(
        self, endpoint: Endpoint, reference: Reference, credential: Credential | None, seconds: float
    ) -> Resolved:
        # The credential is the registry's; a mirror is another party.
        access = Access(endpoint, reference.path, None if endpoint.mirror else credential, connect_seconds=seconds)
        repository = Repository(self._http, access)
        digest = await repository.resolve(reference.object)
        if not digest:
            data = await repository.manifest(reference.object)
            digest = await self._worker.run(self._content.put, data)
        if reference.digest and digest != reference.digest:
            raise RegistryError(f"registry answers {digest} for {reference.digest}")
        return Resolved(repository, digest)

    async def pull(self, resolved: Resolved, progress: Progress | None = None) -> Record:
        """Bring the image here. Raises RegistryError and what Assembler.assemble raises."""
        if not self._content.has(resolved.digest):
            data = await resolved.repository.manifest(resolved.digest)
            await self._worker.run(self._content.put, data)

        async def fetch(descriptor: Descriptor) -> None:
            async with self._assembler.alone(descriptor.digest):
                if not self._content.has(descriptor.digest):
                    await self._fetch(resolved.repository, descriptor, progress)

        return await self._assembler.assemble(resolved.digest, fetch)

    async def _fetch(self, repository: Repository, descriptor: Descriptor, progress: Progress | None) -> None:
        if descriptor.media_type.endswith(("manifest.v1+json", "manifest.v2+json", "index.v1+json", "list.v2+json")):
            await self._worker.run(self._content.put, await repository.manifest(descriptor.digest))
            return
        if progress:
            progress(PullProgress(descriptor.digest, 0, descriptor.size))
        async with self._downloads:
            ingest = self._content.ingest(descriptor.digest, descriptor.size)
            try:
                await self._worker.finish(ingest.resume)
                await self._download(repository, descriptor.digest, ingest, progress)
                await self._worker.finish(ingest.commit)
            finally:
                ingest.close()

    async def _download(self, repository: Repository, digest: str, ingest: Ingest, progress: Progress | None) -> None:
        """Read until all is there, going on after a broken connection; give up when attempts bring nothing."""
        backoff = Backoff(initial=0.2, limit=3.0)
        while ingest.offset < ingest.size:
            before = ingest.offset
            try:
                await self._read_once(repository, digest, ingest, progress)
                return
            except NetworkError:
                if ingest.offset > before:
                    backoff.reset()
                if backoff.failures + 1 >= _ATTEMPTS:
                    raise
                await self._clock.sleep(backoff.next())

    async def _read_once(self, repository: Repository, digest: str, ingest: Ingest, progress: Progress | None) -> None:
        async with repository.blob(digest, ingest.offset) as (offset, chunks):
            if offset != ingest.offset:
                ingest.restart()
            pending = bytearray()
            try:
                async for chunk in chunks:
                    pending += chunk
                    if len(pending) >= WRITE_BYTES:
                        full, pending = pending, bytearray()
                        await self._write(digest, ingest, full, progress)
            finally:
                await self._write(digest, ingest, pending, progress)

    async def _write(self, digest: str, ingest: Ingest, data: bytearray, progress: Progress | None) -> None:
        await self._worker.finish(ingest.write, bytes(data))
        if progress:
            progress(PullProgress(digest, ingest.offset, ingest.size))

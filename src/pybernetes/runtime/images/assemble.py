"""From a manifest to a usable image: config read, layers brought in and unpacked, a record for the index.

Pull, load and build differ only in where a blob comes from; that is their `fetch`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from pybernetes.aio.locks import Locks
from pybernetes.aio.threads import Worker
from pybernetes.runtime.images import config
from pybernetes.runtime.images.content import Content
from pybernetes.runtime.images.index import Record
from pybernetes.runtime.images.platform import select, this_machine
from pybernetes.runtime.snapshots.layers import Layers, Staged, chain_ids
from pybernetes.runtime.snapshots.unpack import LayerError
from pybernetes.wire.images import documents
from pybernetes.wire.images.documents import Descriptor, DocumentError, Index, Manifest

Fetch = Callable[[Descriptor], Awaitable[None]]
"""Makes the blob of a descriptor be in the content store, verified. Called for blobs that may be there already."""


class ExtractError(Exception):
    """A layer could not be unpacked."""


class Assembler:
    """Turns manifests into records. Work on the same layer by several images at once is done once."""

    def __init__(self, content: Content, layers: Layers, worker: Worker) -> None:
        self._content = content
        self._layers = layers
        self._worker = worker
        self._locks: Locks[str] = Locks()

    async def assemble(self, target: str, fetch: Fetch) -> Record:
        """The image of this machine's platform that the document `target` (already in the store) leads to.

        Raises DocumentError, ExtractError, OSError, and whatever `fetch` raises.
        """
        digest, manifest, documents_read = await self._find_manifest(target, fetch)
        await fetch(manifest.config)
        image = config.decode(await self._worker.run(self._content.read, manifest.config.digest))
        if len(image.diff_ids) != len(manifest.layers):
            raise DocumentError("mismatched image rootfs and manifest layers")
        await self._unpack(manifest.layers, image.diff_ids, fetch)
        size = sum(descriptor.size for descriptor in (manifest.config, *manifest.layers))
        size += sum(self._content.path(name).stat().st_size for name in documents_read)
        return Record(
            id=manifest.config.digest,
            manifest=digest,
            target=target,
            chain=chain_ids(image.diff_ids)[-1] if image.diff_ids else "",
            size=size,
            blobs=(*documents_read, manifest.config.digest, *dict.fromkeys(layer.digest for layer in manifest.layers)),
        )

    async def _find_manifest(self, target: str, fetch: Fetch) -> tuple[str, Manifest, tuple[str, ...]]:
        """The manifest for this machine, and the digests of the documents on the way to it, itself included."""
        digest, passed = target, [target]
        document = documents.parse(await self._worker.run(self._content.read, digest))
        while isinstance(document, Index):
            chosen = select(document.manifests, this_machine())
            if chosen is None or chosen.digest in passed or len(passed) > 3:
                raise DocumentError("no match for platform in manifest: not found")
            await fetch(chosen)
            digest = chosen.digest
            passed.append(digest)
            document = documents.parse(await self._worker.run(self._content.read, digest))
        return digest, document, tuple(passed)

    async def _unpack(self, blobs: list[Descriptor], diff_ids: tuple[str, ...], fetch: Fetch) -> None:
        """Fetch and unpack all layers side by side; give them their places from the lowest up."""
        chains = chain_ids(diff_ids)
        staged: dict[str, Staged] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for blob, diff_id, chain in zip(blobs, diff_ids, chains, strict=True):
                    work = self._stage(blob, diff_id, chain, fetch, staged)
                    group.create_task(work, name=f"layer {diff_id[:19]}")
            for parent, chain in zip(("", *chains), chains, strict=False):
                if chain in staged:
                    await self._worker.finish(self._commit, staged, chain, parent)
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from None
        finally:
            for layer in staged.values():
                await self._worker.finish(self._layers.discard, layer)

    async def _stage(self, blob: Descriptor, diff_id: str, chain: str, fetch: Fetch, staged: dict[str, Staged]) -> None:
        """Add the unpacked layer to `staged`, unless it is in its place already."""
        await fetch(blob)
        if self._layers.has(chain):
            return
        try:
            await self._worker.finish(self._stage_blob, blob.digest, diff_id, chain, staged)
        except (LayerError, OSError) as error:
            cause = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
            raise ExtractError(f"failed to extract layer {diff_id}: {cause}") from error

    def _stage_blob(self, digest: str, diff_id: str, chain: str, staged: dict[str, Staged]) -> None:
        """Noted on this thread: whoever is cancelled meanwhile has to find what to discard."""
        fd = self._content.open(digest)
        try:
            staged[chain] = self._layers.stage(fd, diff_id)
        finally:
            os.close(fd)

    def _commit(self, staged: dict[str, Staged], chain: str, parent: str) -> None:
        self._layers.commit(staged[chain], parent)
        del staged[chain]

    def alone(self, digest: str) -> AbstractAsyncContextManager[None]:
        """One at a time per digest: who waited finds the blob there."""
        return self._locks.holding((digest,))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that ended the others."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error

"""What builds need of the image store: images taken apart, layers made of what steps wrote, images put together."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from pybernetes.aio.threads import Worker
from pybernetes.cri.building import BaseImage, Filesystem, Layer, Result
from pybernetes.runtime.images.content import Content
from pybernetes.runtime.images.index import Record
from pybernetes.runtime.images.library import Library
from pybernetes.runtime.images.results import Results
from pybernetes.runtime.snapshots.layers import Layers, chain_ids
from pybernetes.runtime.snapshots.service import Snapshots
from pybernetes.wire.images import documents
from pybernetes.wire.images.documents import Descriptor, DocumentError, Manifest


class Workshop:
    """Made by the image service over its own parts. What it makes may be collected unless done while `adding`."""

    def __init__(
        self, content: Content, layers: Layers, library: Library, results: Results, snapshots: Snapshots
    ) -> None:
        self._content = content
        self._layers = layers
        self._library = library
        self._results = results
        self._worker = Worker("builds", 2)
        self.snapshots = snapshots

    async def close(self) -> None:
        await self._worker.close()

    @property
    def staging(self) -> Path:
        """A directory on the store's file system; what a kill leaves in it is swept at the next start."""
        return self._layers.staging

    @asynccontextmanager
    async def adding(self) -> AsyncIterator[None]:
        """Nothing is collected while the block runs."""
        async with self._library.adding(self.snapshots):
            yield

    async def describe(self, record: Record) -> BaseImage:
        """An image that is here, as a build begins from it."""
        return await self._worker.run(self._describe, record)

    async def find_result(self, key: str) -> Result | None:
        """None too if a layer is gone."""
        return await self._worker.run(self._find_result, key)

    async def remember(self, key: str, result: Result) -> None:
        await self._worker.run(self._results.remember, key, result)

    async def make_layer(self, upper: Path, parent: Filesystem) -> Filesystem:
        """Take the writable layer `upper`, which nothing is mounted on any more; `parent` itself if it is empty."""
        return await self._worker.finish(self._make_layer, upper, parent)

    async def write_manifest(self, config: bytes, filesystem: Filesystem) -> str:
        """Store the documents of an image; returns the manifest's digest."""
        return await self._worker.run(self._write_manifest, config, filesystem)

    def _describe(self, record: Record) -> BaseImage:
        manifest = documents.parse(self._content.read(record.manifest))
        data = self._content.read(record.id)
        if not isinstance(manifest, Manifest):
            raise DocumentError(f"{record.manifest} is no manifest")
        diff_ids = msgspec.json.decode(data, type=_Config).rootfs.diff_ids
        layers = tuple(
            Layer(layer.digest, diff_id, layer.size, _oci_type(layer.media_type))
            for layer, diff_id in zip(manifest.layers, diff_ids, strict=True)
        )
        name = next(iter(record.tags), record.id)
        return BaseImage(record.id, name, data, Filesystem(record.chain, layers))

    def _find_result(self, key: str) -> Result | None:
        result = self._results.find(key)
        if result is None or (result.filesystem.chain and not self._layers.has(result.filesystem.chain)):
            return None
        return result if all(self._content.has(layer.digest) for layer in result.filesystem.layers) else None

    def _make_layer(self, upper: Path, parent: Filesystem) -> Filesystem:
        from pybernetes.runtime.snapshots.pack import pack  # the standard library's tarfile, which only builds need

        staged = self.staging / f"{secrets.token_hex(8)}.tar.gz"
        root = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with staged.open("xb", buffering=0) as target:
                packed = pack(root, target.fileno())
            if not packed.members:
                return parent
            digest, size = self._content.adopt(staged)
        finally:
            os.close(root)
            staged.unlink(missing_ok=True)
        chain = self._layers.adopt(upper, packed, parent.chain)
        layer = Layer(digest, packed.diff_id, size, f"{documents.OCI_LAYER}+gzip")
        return Filesystem(chain, (*parent.layers, layer))

    def _write_manifest(self, config: bytes, filesystem: Filesystem) -> str:
        diff_ids = [layer.diff_id for layer in filesystem.layers]
        if msgspec.json.decode(config, type=_Config).rootfs.diff_ids != diff_ids or (
            filesystem.chain != (chain_ids(diff_ids)[-1] if diff_ids else "")
        ):
            raise DocumentError("the image's config does not describe its layers")
        manifest = Manifest(
            schema_version=2,
            media_type=documents.OCI_MANIFEST,
            config=Descriptor(documents.OCI_CONFIG, self._content.put(config), len(config)),
            layers=[Descriptor(layer.media_type, layer.digest, layer.size) for layer in filesystem.layers],
        )
        return self._content.put(msgspec.json.encode(manifest))


class _Root(msgspec.Struct, frozen=True):
    diff_ids: list[str] = []


class _Config(msgspec.Struct, frozen=True):
    rootfs: _Root = _Root()


def _oci_type(media_type: str) -> str:
    """The OCI name of a layer's type, which docker's manifests call otherwise; one manifest does not mix the two."""
    if not media_type.startswith("application/vnd.docker."):
        return media_type
    return f"{documents.OCI_LAYER}+gzip" if media_type.endswith("gzip") else documents.OCI_LAYER

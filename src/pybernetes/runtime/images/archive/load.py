"""Loading archives into the content store."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from pybernetes.aio.threads import Worker
from pybernetes.runtime.images.archive.source import Source, open_source, read
from pybernetes.runtime.images.assemble import Assembler
from pybernetes.runtime.images.content import Content
from pybernetes.runtime.images.index import Record
from pybernetes.runtime.images.platform import select, this_machine
from pybernetes.runtime.snapshots import files
from pybernetes.wire.images import documents
from pybernetes.wire.images.documents import Descriptor, DocumentError, Index, Manifest
from pybernetes.wire.images.reference import InvalidReferenceError, Reference, parse

_CONTAINERD_NAME = "io.containerd.image.name"
_OCI_NAME = "org.opencontainers.image.ref.name"


class _DockerImage(msgspec.Struct, frozen=True):
    """An entry of docker's manifest.json."""

    config: str = msgspec.field(name="Config")
    repo_tags: list[str] | None = msgspec.field(name="RepoTags", default=None)
    layers: list[str] | None = msgspec.field(name="Layers", default=None)


class Found(Struct, frozen=True):
    """A document of the archive, now in the content store, and the names that it has there."""

    digest: str
    names: tuple[Reference, ...]


class Loader:
    """Reads archives. `staging` is a directory on the content store's file system."""

    def __init__(self, content: Content, assembler: Assembler, worker: Worker, staging: Path) -> None:
        self._content = content
        self._assembler = assembler
        self._worker = worker
        self._staging = staging

    async def load(self, source: BinaryIO | Path) -> list[tuple[Record, tuple[Reference, ...]]]:
        """The images of the archive, unpacked, with their names. Raises DocumentError, DigestError, ExtractError."""
        found = await self._worker.run(self._read, source)
        return [(await self._assembler.assemble(image.digest, self.require), image.names) for image in found]

    async def require(self, descriptor: Descriptor) -> None:
        """The `fetch` of an image whose blobs are all here already. Raises DocumentError if this one is not."""
        if not self._content.has(descriptor.digest):
            raise DocumentError(f"archive has no blob {descriptor.digest}")

    def _read(self, source: BinaryIO | Path) -> list[Found]:
        with self._staged() as staging:
            archive = open_source(source, staging)
            if archive.has("index.json"):
                return list(self._read_layout(archive))
            if archive.has("manifest.json"):
                return list(self._read_docker(archive))
        raise DocumentError("neither an OCI layout (index.json) nor a docker archive (manifest.json)")

    @contextmanager
    def _staged(self) -> Iterator[Path]:
        path = self._staging / secrets.token_hex(8)
        path.mkdir(mode=0o700)
        try:
            yield path
        finally:
            files.sweep_tree(path)

    # OCI layout

    def _read_layout(self, archive: Source) -> Iterator[Found]:
        index = documents.parse(read(archive, "index.json"))
        if not isinstance(index, Index):
            raise DocumentError("index.json of archive is no index")
        for entry in index.manifests:
            if self._take(archive, entry):
                yield Found(entry.digest, _names_of(entry))

    def _take(self, archive: Source, entry: Descriptor) -> bool:
        """Bring a document and all below it, for this machine's platform, into the store; False for artifacts."""
        self._adopt(archive, entry)
        document = documents.parse(self._content.read(entry.digest))
        if isinstance(document, Index):
            chosen = select(document.manifests, this_machine())
            return chosen is not None and self._take(archive, chosen)
        for blob in (document.config, *document.layers):
            self._adopt(archive, blob)
        return True

    def _adopt(self, archive: Source, blob: Descriptor) -> None:
        if not self._content.has(blob.digest):
            name = f"blobs/sha256/{blob.digest.removeprefix('sha256:')}"
            self._content.adopt(archive.take(name), blob.digest, known=archive.digest(name))

    # docker save

    def _read_docker(self, archive: Source) -> Iterator[Found]:
        try:
            images = msgspec.json.decode(read(archive, "manifest.json"), type=list[_DockerImage])
        except msgspec.DecodeError as error:
            raise DocumentError(f"invalid manifest.json: {error}") from error
        for image in images:
            manifest = Manifest(
                schema_version=2,
                media_type=documents.OCI_MANIFEST,
                config=self._describe(archive, image.config, documents.OCI_CONFIG),
                layers=[self._describe(archive, layer, documents.OCI_LAYER) for layer in image.layers or ()],
            )
            digest = self._content.put(msgspec.json.encode(manifest))
            yield Found(digest, tuple(_parse(tag) for tag in image.repo_tags or ()))

    def _describe(self, archive: Source, name: str, media_type: str) -> Descriptor:
        digest, size = self._content.adopt(archive.take(name), known=archive.digest(name))
        return Descriptor(media_type, digest, size)


def _names_of(entry: Descriptor) -> tuple[Reference, ...]:
    """The name in the annotations, if it is one of an image: layouts also have bare tags there, which name nothing."""
    if name := entry.annotations.get(_CONTAINERD_NAME, ""):
        return (_parse(name),)
    name = entry.annotations.get(_OCI_NAME, "")
    return (_parse(name),) if ":" in name or "/" in name else ()


def _parse(name: str) -> Reference:
    try:
        return parse(name)
    except InvalidReferenceError as error:
        raise DocumentError(f"archive has an image with a bad name {name!r}: {error}") from error

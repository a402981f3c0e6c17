"""Writing images to a tar that is an OCI layout and a `docker load` archive at once, over the same blobs."""

import io
import os
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import BinaryIO

import msgspec
from msgspec import Struct

from pybernetes.runtime.images.content import Content
from pybernetes.runtime.images.index import Record
from pybernetes.wire.images import documents
from pybernetes.wire.images.documents import Descriptor, Index, Manifest
from pybernetes.wire.images.reference import Reference


class Saved(Struct, frozen=True):
    """An image to save, under the names to give it."""

    record: Record
    names: tuple[Reference, ...]


def save_archive(content: Content, images: Sequence[Saved], target: BinaryIO) -> None:
    """Write the archive; the same images give the same bytes. Blocks. Raises OSError, DigestError.

    All blobs are opened before anything is written: an image that is removed meanwhile is saved whole all the same.
    """
    docker: list[dict[str, object]] = []
    entries: list[Descriptor] = []
    blobs: dict[str, BinaryIO] = {}
    with ExitStack() as opened:
        for image in images:
            data = content.read(image.record.manifest)
            manifest = documents.parse(data)
            assert isinstance(manifest, Manifest)
            for digest in (image.record.manifest, manifest.config.digest, *(layer.digest for layer in manifest.layers)):
                if digest not in blobs:
                    blobs[digest] = opened.enter_context(content.path(digest).open("rb"))
            entries += _entries(image, Descriptor(documents.media_type_of(manifest), image.record.manifest, len(data)))
            docker.append(
                {
                    "Config": _blob_name(manifest.config.digest),
                    "RepoTags": [str(name) for name in image.names if name.tag],
                    "Layers": [_blob_name(layer.digest) for layer in manifest.layers],
                }
            )
        index = Index(schema_version=2, media_type=documents.OCI_INDEX, manifests=entries)
        _write(target, blobs, {"index.json": msgspec.json.encode(index), "manifest.json": msgspec.json.encode(docker)})


def _write(target: BinaryIO, blobs: Mapping[str, BinaryIO], documents: Mapping[str, bytes]) -> None:
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        for digest, file in blobs.items():
            info = tarfile.TarInfo(_blob_name(digest))
            info.size = os.fstat(file.fileno()).st_size
            archive.addfile(info, file)
        for name, data in documents.items():
            _add(archive, name, data)


def _entries(image: Saved, manifest: Descriptor) -> list[Descriptor]:
    if not image.names:
        return [manifest]
    return [
        msgspec.structs.replace(
            manifest,
            annotations={"io.containerd.image.name": str(name), "org.opencontainers.image.ref.name": name.object},
        )
        for name in image.names
    ]


def _blob_name(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))

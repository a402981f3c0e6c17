"""The documents an image is made of: descriptors, manifests, indexes (OCI image spec 1.1 and Docker schema 2).

Unknown fields are ignored; wrong types, missing digests and sizes that are not sizes are refused by `DocumentError`.
"""

import msgspec

from pybernetes.wire.images.reference import is_digest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

ACCEPT = ", ".join([DOCKER_MANIFEST, DOCKER_INDEX, OCI_MANIFEST, OCI_INDEX, "*/*"])
DOCUMENT_LIMIT = 8 << 20
"""No manifest, index or config is larger than this many bytes (containerd's limit for them)."""


class DocumentError(ValueError):
    """A document that is no manifest, index or config; the text says what is wrong with it."""


class Platform(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a manifest runs on."""

    architecture: str = ""
    os: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A blob by digest, size in bytes and media type."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: dict[str, str] = {}


class Manifest(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One image for one platform: its config and its layers, lowest first."""

    config: Descriptor
    schema_version: int = 0
    media_type: str = ""
    layers: list[Descriptor] = []


class Index(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Several manifests, for one platform each (or, in a layout's index.json, one per name)."""

    schema_version: int = 0
    media_type: str = ""
    manifests: list[Descriptor] = []


class _Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Enough of a document to tell what it is."""

    schema_version: int = 0
    media_type: str = ""
    manifests: msgspec.Raw = msgspec.Raw()
    config: msgspec.Raw = msgspec.Raw()


def parse(data: bytes) -> Manifest | Index:
    """The manifest or index in `data`, told apart by its content (a media type may lie). Raises DocumentError."""
    try:
        shape = msgspec.json.decode(data, type=_Shape)
        if shape.schema_version == 1:
            raise DocumentError("media type application/vnd.docker.distribution.manifest.v1+prettyjws is not supported")
        has_manifests, has_config = (bytes(raw) not in (b"", b"null") for raw in (shape.manifests, shape.config))
        if has_manifests and has_config:
            raise DocumentError("document is both a manifest and an index")
        if has_manifests:
            return check_index(msgspec.json.decode(data, type=Index))
        return check_manifest(msgspec.json.decode(data, type=Manifest))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"invalid manifest: {error}") from error


def check_manifest(manifest: Manifest) -> Manifest:
    for descriptor in (manifest.config, *manifest.layers):
        check(descriptor)
    return manifest


def check_index(index: Index) -> Index:
    for descriptor in index.manifests:
        check(descriptor)
    return index


def check(descriptor: Descriptor) -> Descriptor:
    """The descriptor, if its digest is one that can be verified and its size is one. Raises DocumentError."""
    if not is_digest(descriptor.digest):
        raise DocumentError(f'invalid digest "{descriptor.digest}"')
    if descriptor.size < 0:
        raise DocumentError(f"invalid size {descriptor.size} of {descriptor.digest}")
    return descriptor


def media_type_of(document: Manifest | Index) -> str:
    """Its own word for its media type, or the OCI type that its shape says."""
    return document.media_type or (OCI_INDEX if isinstance(document, Index) else OCI_MANIFEST)

"""What a pushed document says: which blobs it needs, what it refers to. Pure."""

import msgspec

from pybernetes.registry.errors import RegistryError
from pybernetes.registry.storage import Manifest
from pybernetes.wire.images import documents
from pybernetes.wire.images.documents import Descriptor, DocumentError, Index
from pybernetes.wire.images.reference import is_digest

SIZE_LIMIT = 4 << 20
"""What the spec asks a registry to accept at least, in bytes."""

_FOREIGN = ("application/vnd.docker.image.rootfs.foreign", "application/vnd.oci.image.layer.nondistributable")


class _About(msgspec.Struct, frozen=True, rename="camel"):
    """The fields that only a registry looks at."""

    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}


def describe(data: bytes, media_type: str) -> Manifest:
    """Raises RegistryError for what is no manifest, or says another media type of itself than the request."""
    try:
        document = documents.parse(data)
        about = msgspec.json.decode(data, type=_About)
    except (DocumentError, msgspec.DecodeError) as error:
        raise RegistryError("MANIFEST_INVALID", str(error)) from error
    if document.media_type and media_type and document.media_type != media_type:
        said = f"it is {document.media_type}, the request says {media_type}"
        raise RegistryError("MANIFEST_INVALID", said)
    if about.subject and not is_digest(about.subject.digest):
        raise RegistryError("MANIFEST_INVALID", f"subject {about.subject.digest!r} is no digest")
    if isinstance(document, Index):
        needed: tuple[str, ...] = ()
        children = tuple(entry.digest for entry in document.manifests)
        artifact = about.artifact_type
    else:
        layers = [layer for layer in document.layers if not layer.media_type.startswith(_FOREIGN)]
        needed, children = tuple(dict.fromkeys(blob.digest for blob in (document.config, *layers))), ()
        artifact = about.artifact_type or document.config.media_type
    return Manifest(
        media_type=media_type or documents.media_type_of(document),
        size=len(data),
        blobs=needed,
        children=children,
        subject=about.subject.digest if about.subject else "",
        artifact_type=artifact,
        annotations=about.annotations,
    )

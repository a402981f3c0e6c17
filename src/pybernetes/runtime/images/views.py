"""An image as those see it who ask: CRI, and who knows images by name (`cri.library`)."""

from pybernetes.cri import types as t
from pybernetes.cri.library import ImageRecord
from pybernetes.runtime.images.config import ImageConfig
from pybernetes.runtime.images.content import Content
from pybernetes.runtime.images.index import Record
from pybernetes.wire.images import documents
from pybernetes.wire.images.documents import Manifest
from pybernetes.wire.numbers import parse_number


def as_cri(record: Record, image: ImageConfig) -> t.Image:
    """As CRI has it: a numeric user is a uid, any other is a name, none is neither."""
    user = image.user.partition(":")[0]
    uid = parse_number(user)
    return t.Image(
        id=record.id,
        repo_tags=list(record.tags),
        repo_digests=list(record.digests),
        size=record.size,
        uid=None if uid is None else t.Int64Value(value=uid),
        username=user if uid is None else "",
        spec=t.ImageSpec(image=next(iter(record.tags), record.id)),
    )


def described(record: Record, content: Content) -> ImageRecord:
    """With what its manifest and its config say. May block. Raises OSError if they cannot be read."""
    data = content.read(record.manifest)
    manifest = documents.parse(data)
    assert isinstance(manifest, Manifest)
    return ImageRecord(
        id=record.id,
        tags=list(record.tags),
        digests=list(record.digests),
        local=list(record.local),
        size=record.size,
        manifest=record.manifest,
        manifest_size=len(data),
        layers=[layer.digest for layer in manifest.layers],
        layer_sizes=[layer.size for layer in manifest.layers],
        config=content.read(record.id),
    )

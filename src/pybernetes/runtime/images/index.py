"""Which images there are, under which names: one file, replaced as a whole at each change.

Values are frozen and changes make a new index, so that a reader never sees half of one.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pybernetes.runtime.snapshots import files
from pybernetes.wire.images.reference import Reference


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image: `id` is its config's digest.

    `tags` and `digests` are full references; `local` are those of `tags` that were given on this machine (loaded,
    built, tagged) and not by a registry. `target` is the document that the names stood for (an index or `manifest`).
    `size` is what a registry would send, in bytes; `blobs` is all that it needs of the content store.
    """

    id: str
    manifest: str
    target: str
    chain: str
    size: int
    blobs: tuple[str, ...]
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    local: tuple[str, ...] = ()


class Images(msgspec.Struct, frozen=True):
    """All records, in the order in which they came."""

    images: tuple[Record, ...] = ()

    def by_id(self, image_id: str) -> Record | None:
        return next((record for record in self.images if record.id == image_id), None)

    def by_name(self, name: str) -> Record | None:
        """The image that a full reference stands for."""
        return next((record for record in self.images if name in record.tags or name in record.digests), None)

    def by_target(self, repository: str, digest: str) -> Record | None:
        """The image that this repository has under this digest."""
        return self.by_name(f"{repository}@{digest}")

    def with_image(self, record: Record, reference: Reference | None, *, local: bool) -> "Images":
        """Add an image, or a name to it. A tag that another image had moves; that image stays, without it."""
        known = self.by_id(record.id) or record
        blobs = tuple(dict.fromkeys((*known.blobs, *record.blobs)))
        merged = msgspec.structs.replace(known, blobs=blobs)
        if reference is None:
            return self._replace(merged)
        name, tags, digests, kept = str(reference), merged.tags, merged.digests, merged.local
        if reference.tag:
            tags = _with(tags, name)
            kept = _with(kept, name) if local else _without(kept, name)
        if not local:
            digests = _with(digests, f"{reference.repository}@{record.target}")
        named = msgspec.structs.replace(merged, tags=tags, digests=digests, local=kept)
        return self.without_name(name, but=record.id)._replace(named) if reference.tag else self._replace(named)

    def without_name(self, name: str, *, but: str = "") -> "Images":
        """Take a name from whichever image has it, except the image `but`."""
        return Images(
            tuple(
                record
                if record.id == but
                else msgspec.structs.replace(
                    record,
                    tags=_without(record.tags, name),
                    digests=_without(record.digests, name),
                    local=_without(record.local, name),
                )
                for record in self.images
            )
        )

    def without_image(self, image_id: str) -> "Images":
        return Images(tuple(record for record in self.images if record.id != image_id))

    def _replace(self, record: Record) -> "Images":
        if self.by_id(record.id) is None:
            return Images((*self.images, record))
        return Images(tuple(record if old.id == record.id else old for old in self.images))


def _with(names: Iterable[str], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*names, name)))


def _without(names: Iterable[str], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name)


def load(path: Path) -> Images:
    """The index of the file; an empty one if there is no file. Raises ValueError if it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Images)
    except FileNotFoundError:
        return Images()
    except msgspec.DecodeError as error:
        raise ValueError(f"image index {path} is damaged: {error}") from error


def save(path: Path, images: Images) -> None:
    """Replace the file; the change survives a kill and the loss of power once this returns."""
    files.replace(path, msgspec.json.encode(images), durable=True)

"""What the registry keeps. Every method may block.

    blobs/sha256/<hex>                      content; the same files as the content store's where that has them, too
    repositories/<name>/_manifests/<hex>    a manifest of the repository: `Manifest`, as JSON
    repositories/<name>/_blobs/<hex>        empty: the repository has this blob
    repositories/<name>/_tags/<tag>         the digest that the tag stands for
    uploads/<id>                            a blob on its way in

Names reach this file checked (`names.py`). A file appears by one rename or link, whole.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from pybernetes.registry.errors import RegistryError

UNUSED_SECONDS = 24 * 3600.0
"""How long what no manifest names is kept for a push that goes on."""


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a manifest; `blobs` are the digests that it needs, `children` manifests of an index."""

    media_type: str
    size: int
    blobs: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    subject: str = ""
    artifact_type: str = ""
    annotations: dict[str, str] = {}


class Storage:
    """Everything below `root`. `shared` is the content store's directory of blobs, on the same file system."""

    def __init__(self, root: Path, shared: Path) -> None:
        self.blobs = root / "blobs" / "sha256"
        self.uploads = root / "uploads"
        self._repositories = root / "repositories"
        self._shared = shared

    def start(self) -> None:
        for directory in (self.blobs, self.uploads, self._repositories):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    # Blobs

    def path(self, digest: str) -> Path:
        """Where the blob is, if it is here."""
        return self.blobs / _hex(digest)

    def blob(self, repository: str, digest: str, *, trusted: bool) -> Path:
        """The blob of the repository. Raises RegistryError.

        To a trusted caller, who could read the disk as well, every blob of the machine is in every repository: so an
        image that the cluster has is pushed without sending anything.
        """
        if (self._repository(repository) / "_blobs" / _hex(digest)).exists() and self.path(digest).exists():
            return self.path(digest)
        if trusted and self._take(digest):
            self.add_blob(repository, digest)
            return self.path(digest)
        raise RegistryError("BLOB_UNKNOWN", {"digest": digest})

    def add_blob(self, repository: str, digest: str) -> None:
        """Note that the repository has a blob that is here."""
        mark = self._repository(repository) / "_blobs" / _hex(digest)
        mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark.touch(mode=0o600)

    def adopt(self, staged: Path, digest: str) -> None:
        """Take a verified file of `uploads` as a blob; on the disk when this returns."""
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        staged.rename(self.path(digest))

    def remove_blob(self, repository: str, digest: str) -> None:
        """Raises RegistryError."""
        try:
            (self._repository(repository) / "_blobs" / _hex(digest)).unlink()
        except FileNotFoundError:
            raise RegistryError("BLOB_UNKNOWN", {"digest": digest}) from None

    def _take(self, digest: str) -> bool:
        """Whether the blob is here, or is here now by a link to the content store's file."""
        if self.path(digest).exists():
            return True
        try:
            os.link(self._shared / _hex(digest), self.path(digest))
        except FileExistsError:
            return True
        except OSError:
            return False
        return True

    # Manifests and tags

    def manifest(self, repository: str, reference: str) -> tuple[str, Manifest]:
        """By tag or digest: its digest, and what is known of it. Raises RegistryError."""
        place = self._repository(repository)
        try:
            digest = reference if ":" in reference else (place / "_tags" / reference).read_text()
            found = (place / "_manifests" / _hex(digest)).read_bytes()
        except FileNotFoundError:
            raise RegistryError("MANIFEST_UNKNOWN", {"name": repository, "reference": reference}) from None
        return digest, msgspec.json.decode(found, type=Manifest)

    def put_manifest(self, repository: str, data: bytes, manifest: Manifest) -> None:
        """Keep the document, whose blobs are here."""
        digest = digest_of(data)
        if not self.path(digest).exists():
            staged = self.uploads / secrets.token_hex(8)
            staged.write_bytes(data)
            self.adopt(staged, digest)
        self._write(self._repository(repository) / "_manifests" / _hex(digest), msgspec.json.encode(manifest))

    def tag(self, repository: str, tag: str, digest: str) -> None:
        self._write(self._repository(repository) / "_tags" / tag, digest.encode())

    def untag(self, repository: str, tag: str) -> None:
        """Raises RegistryError."""
        try:
            (self._repository(repository) / "_tags" / tag).unlink()
        except FileNotFoundError:
            raise RegistryError("MANIFEST_UNKNOWN", {"name": repository, "reference": tag}) from None

    def remove_manifest(self, repository: str, digest: str) -> list[str]:
        """With all tags that stand for it, which are returned. Raises RegistryError."""
        self.manifest(repository, digest)
        place = self._repository(repository)
        tags = [tag for tag in self.tags(repository) if (place / "_tags" / tag).read_text() == digest]
        for tag in tags:
            self.untag(repository, tag)
        (place / "_manifests" / _hex(digest)).unlink(missing_ok=True)
        return tags

    def tags(self, repository: str) -> list[str]:
        """In lexical order. Raises RegistryError if there is no such repository."""
        if not self.has_repository(repository):
            raise RegistryError("NAME_UNKNOWN", {"name": repository})
        return sorted(path.name for path in _entries(self._repository(repository) / "_tags"))

    def manifests(self, repository: str) -> Iterator[tuple[str, Manifest]]:
        """All of a repository, with their digests."""
        for path in sorted(_entries(self._repository(repository) / "_manifests")):
            with suppress(FileNotFoundError):
                yield f"sha256:{path.name}", msgspec.json.decode(path.read_bytes(), type=Manifest)

    def has_repository(self, repository: str) -> bool:
        place = self._repository(repository)
        return any(next(iter(_entries(place / part)), None) for part in ("_manifests", "_blobs"))

    def repositories(self) -> list[str]:
        """The names of those that have a manifest, in lexical order."""
        return sorted(name for name in self._all() if next(iter(_entries(self._repository(name) / "_manifests")), None))

    # What nobody needs

    def collect(self, now: float | None = None, unused_seconds: float = UNUSED_SECONDS) -> None:
        """Remove uploads that nobody goes on with, and blobs that no manifest has named for so long."""
        deadline = (time.time() if now is None else now) - unused_seconds
        for path in _entries(self.uploads):
            _remove_if_older(path, deadline)
        kept: set[str] = set()
        for name in self._all():
            documents = dict(self.manifests(name))
            named = {_hex(blob) for manifest in documents.values() for blob in manifest.blobs}
            for mark in _entries(self._repository(name) / "_blobs"):
                if mark.name not in named:
                    _remove_if_older(mark, deadline)
            kept |= {path.name for path in _entries(self._repository(name) / "_blobs")} | named
            kept |= {_hex(digest) for digest in documents}
        for blob in _entries(self.blobs):
            if blob.name not in kept:
                _remove_if_older(blob, deadline)

    def _all(self) -> Iterator[str]:
        for place, directories, _ in os.walk(self._repositories):
            if "_manifests" in directories or "_blobs" in directories:
                yield str(Path(place).relative_to(self._repositories))
            directories[:] = [name for name in directories if not name.startswith("_")]

    def _repository(self, name: str) -> Path:
        return self._repositories / name

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = self.uploads / secrets.token_hex(8)
        with staged.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        staged.rename(path)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []


def _remove_if_older(path: Path, deadline: float) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_mtime < deadline:
            path.unlink()

"""Blobs by digest. A blob appears under its name only when it is whole, verified and on the disk."""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from pybernetes.runtime.snapshots import files

UNUSED_SECONDS = 24 * 3600
"""How long what an interrupted pull has brought is kept for its repetition."""

_READ = 1 << 20


class DigestError(ValueError):
    """The bytes are not those that the digest names."""


class Content:
    """Files `blobs/sha256/<hex>` below `root`; partial downloads are in `ingest`. Every method may block."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs" / "sha256"
        self._ingest = root / "ingest"

    def start(self) -> None:
        """Make the directories; partial downloads of the last day stay, to be resumed."""
        self._blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ingest.mkdir(mode=0o700, parents=True, exist_ok=True)
        for partial in self._ingest.iterdir():
            if time.time() - partial.stat().st_mtime > UNUSED_SECONDS:
                partial.unlink(missing_ok=True)

    def path(self, digest: str) -> Path:
        """Where the blob is, if it is there. The digest must have been checked (`reference.is_digest`)."""
        return self._blobs / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        return self.path(digest).exists()

    def open(self, digest: str) -> int:
        """A descriptor of the blob, which the caller closes. Raises FileNotFoundError."""
        return os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)

    def read(self, digest: str) -> bytes:
        """A small blob, verified again. Raises FileNotFoundError, DigestError."""
        data = self.path(digest).read_bytes()
        _verify(digest, hashlib.sha256(data).hexdigest())
        return data

    def put(self, data: bytes) -> str:
        """Store a small blob; returns its digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if not self.has(digest):
            files.replace(self.path(digest), data, durable=True)
        return digest

    def adopt(self, path: Path, digest: str = "", known: str = "") -> tuple[str, int]:
        """Take a file of this file system as a blob; returns its digest and size. Raises DigestError.

        `known` is the digest that was taken when the file was written, if it was.
        """
        with path.open("rb") as file:
            found = known or f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
            if digest and found != digest:
                raise DigestError(f"content has digest {found}, expected {digest}")
            size = os.fstat(file.fileno()).st_size
            if not self.has(found):
                os.fsync(file.fileno())
                path.rename(self.path(found))
                files.sync_directory(self._blobs)
        return found, size

    def link(self, directory: Path, digest: str) -> None:
        """Have the verified blob that is in `directory` under its hexadecimal digest. Raises DigestError."""
        if self.has(digest):
            return
        source = directory / digest.removeprefix("sha256:")
        try:
            os.link(source, self.path(digest))
        except FileExistsError:
            return
        except FileNotFoundError as error:
            raise DigestError(f"there is no blob {digest}") from error
        except OSError:  # another file system
            copy = self._ingest / secrets.token_hex(8)
            shutil.copyfile(source, copy)
            self.adopt(copy, digest)
        files.sync_directory(self._blobs)

    def ingest(self, digest: str, size: int) -> "Ingest":
        """A blob to be written; `resume` it before that. One writer per digest at a time. Does not block."""
        return Ingest(self._ingest / digest.removeprefix("sha256:"), self.path(digest), size)

    def collect(self, keep: Iterable[str], *, unused_seconds: float = 0.0) -> None:
        """Remove every blob that is not in `keep` and came at least so long ago."""
        kept = {self.path(digest) for digest in keep}
        for path in list(self._blobs.iterdir()):
            if path not in kept and time.time() - path.stat().st_mtime >= unused_seconds:
                path.unlink(missing_ok=True)

    def total(self) -> tuple[int, int]:
        """Bytes and number of all blobs."""
        sizes = [path.stat().st_size for path in self._blobs.iterdir()]
        return sum(sizes), len(sizes)


class Ingest:
    """A blob on its way in: `offset` bytes of `size` are there. Close it; what was written stays for the next try.

    Calls must not overlap, `close` included.
    """

    def __init__(self, partial: Path, target: Path, size: int) -> None:
        self._partial = partial
        self._target = target
        self.size = size
        self._fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._hash = hashlib.sha256()
        self.offset = 0

    def resume(self) -> None:
        """Go on where the last attempt ended."""
        while chunk := os.pread(self._fd, _READ, self.offset):
            self._hash.update(chunk)
            self.offset += len(chunk)
        if self.offset > self.size:
            self.restart()
        os.lseek(self._fd, self.offset, os.SEEK_SET)

    def restart(self) -> None:
        """Forget what is there."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._hash = hashlib.sha256()
        self.offset = 0

    def write(self, data: bytes) -> None:
        """Append. Raises DigestError as soon as there are more bytes than announced."""
        if self.offset + len(data) > self.size:
            self.restart()
            raise DigestError(f"blob is longer than its {self.size} bytes")
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._hash.update(data)
        self.offset += len(data)

    def commit(self) -> None:
        """Verify, bring to the disk, and publish. Raises DigestError, after which nothing is left to resume."""
        try:
            if self.offset != self.size:
                raise DigestError(f"blob has {self.offset} bytes, expected {self.size}")
            _verify(f"sha256:{self._target.name}", self._hash.hexdigest())
        except DigestError:
            self._partial.unlink(missing_ok=True)
            raise
        os.fsync(self._fd)
        self._partial.rename(self._target)
        files.sync_directory(self._target.parent)

    def close(self) -> None:
        os.close(self._fd)


def _verify(digest: str, found: str) -> None:
    if digest != f"sha256:{found}":
        raise DigestError(f"content has digest sha256:{found}, expected {digest}")

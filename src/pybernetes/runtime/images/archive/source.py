"""Where an archive's files are: in a directory, or taken out of a tar under names of our own."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO, Protocol

from pybernetes.runtime.snapshots import tar
from pybernetes.runtime.snapshots.compression import CompressionError, decompressed
from pybernetes.runtime.snapshots.tar import Stream, TarError
from pybernetes.runtime.syscalls import open_in_root
from pybernetes.wire.images.documents import DOCUMENT_LIMIT, DocumentError

_FILES_LIMIT = 100_000
_LINKS = 8


class Source(Protocol):
    """Files by the names that the archive gave them."""

    def has(self, name: str) -> bool: ...

    def take(self, name: str) -> Path:
        """A file with this content on the store's file system, which the caller may rename away.

        Raises DocumentError if there is none.
        """
        ...

    def digest(self, name: str) -> str:
        """The file's digest if it is known without reading it again, else empty."""
        ...


def read(source: Source, name: str) -> bytes:
    """A document of the archive. Raises DocumentError."""
    path = source.take(name)
    if path.stat().st_size > DOCUMENT_LIMIT:
        raise DocumentError(f"{name} in archive is too large")
    return path.read_bytes()


class TarSource:
    """The files of a tar, copied to `staging` under numbers."""

    def __init__(self, archive: int, staging: Path) -> None:
        self._staging = staging
        self._paths: dict[str, Path] = {}
        self._links: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        try:
            self._extract(Stream(decompressed(archive), hashed=False))
        except (TarError, CompressionError) as error:
            raise DocumentError(f"archive is malformed: {error}") from error

    def has(self, name: str) -> bool:
        return self._follow(name) in self._paths

    def take(self, name: str) -> Path:
        path = self._paths.get(self._follow(name))
        if path is None:
            raise DocumentError(f"archive has no file {name!r}")
        return path

    def digest(self, name: str) -> str:
        return self._digests.get(self._follow(name), "")

    def _extract(self, stream: Stream) -> None:
        for entry in tar.entries(stream):
            name = _normal(os.fsdecode(entry.name))
            if entry.kind == tar.REGULAR:
                if len(self._paths) >= _FILES_LIMIT:
                    raise DocumentError("archive has too many files")
                self._paths[name] = self._staging / str(len(self._paths))
                hashed = hashlib.sha256()
                with self._paths[name].open("xb", buffering=0) as file:
                    for piece in stream.pieces(entry.size):
                        hashed.update(piece)
                        file.write(piece)
                self._digests[name] = f"sha256:{hashed.hexdigest()}"
            elif entry.kind == tar.SYMBOLIC_LINK:
                # Older `docker save` names a layer that two images share once, and links to it.
                self._links[name] = _normal(os.path.join(os.path.dirname(name), os.fsdecode(entry.link)))
            elif entry.kind == tar.HARD_LINK:
                self._links[name] = _normal(os.fsdecode(entry.link))

    def _follow(self, name: str) -> str:
        name = _normal(name)
        for _ in range(_LINKS):
            if name not in self._links:
                return name
            name = self._links[name]
        return ""


class DirectorySource:
    """The files of a directory; links out of it lead nowhere. Content is copied, the directory stays as it is."""

    def __init__(self, directory: Path, staging: Path) -> None:
        self._directory = directory
        self._staging = staging
        self._taken = 0

    def has(self, name: str) -> bool:
        try:
            os.close(self._open(name))
        except DocumentError:
            return False
        return True

    def take(self, name: str) -> Path:
        self._taken += 1
        path = self._staging / str(self._taken)
        with os.fdopen(self._open(name), "rb") as source, path.open("xb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        return path

    def digest(self, name: str) -> str:
        return ""

    def _open(self, name: str) -> int:
        root = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return open_in_root(root, name, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise DocumentError(f"archive has no file {name!r}") from error
        finally:
            os.close(root)


def open_source(source: BinaryIO | Path, staging: Path) -> Source:
    """Blocks while a tar is read. Raises DocumentError, OSError."""
    if isinstance(source, Path) and source.is_dir():
        return DirectorySource(source, staging)
    if isinstance(source, Path):  # a file, or a pipe
        with source.open("rb") as file:
            return TarSource(file.fileno(), staging)
    spool = staging / "archive"
    with spool.open("x+b") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        return TarSource(copy.fileno(), staging)


def _normal(name: str) -> str:
    return os.path.normpath(name).lstrip("/")

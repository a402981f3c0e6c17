"""ADD's local archives: told by their content, unpacked beside the root, then copied into it like any tree."""

import bz2
import lzma
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pybernetes.cri.errors import InvalidError
from pybernetes.runtime.snapshots.compression import CompressionError, decompressed
from pybernetes.runtime.snapshots.unpack import LayerError, Limits, unpack

_BZIP2, _XZ = b"BZh", b"\xfd7zXZ\x00"
_MAGIC_AT = 257
_BLOCK = 512


def is_archive(fd: int) -> bool:
    """Whether the file is a tar, plain or compressed with gzip, bzip2, xz or zstd. Its name says nothing."""
    try:
        with _plain(fd, limit=_BLOCK) as plain:
            head = b""
            for chunk in decompressed(plain):
                head += chunk
                if len(head) >= _BLOCK:
                    break
    except (CompressionError, OSError, EOFError, lzma.LZMAError):
        return False
    return len(head) >= _BLOCK and (head[_MAGIC_AT : _MAGIC_AT + 5] == b"ustar" or _is_old_tar(head[:_BLOCK]))


@contextmanager
def unpacked(fd: int, name: str, staging: Path) -> Iterator[Path]:
    """The archive's content in a directory below `staging`. Raises InvalidError if it is malformed or hostile."""
    directory = Path(tempfile.mkdtemp(dir=staging))
    try:
        root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with _plain(fd) as plain:
                unpack(plain, root, Limits())
        except (LayerError, EOFError, lzma.LZMAError) as error:
            raise InvalidError(f'failed to extract "/{name}": {str(error).replace("layer", "archive", 1)}') from error
        finally:
            os.close(root)
        yield directory
    finally:
        shutil.rmtree(directory)


@contextmanager
def _plain(fd: int, limit: int = 0) -> Iterator[int]:
    """A descriptor of what `decompressed` understands; bzip2 and xz go through an unnamed file, up to `limit` bytes."""
    head = os.pread(fd, 6, 0)
    if not head.startswith((_BZIP2, _XZ)):
        yield fd
        return
    with tempfile.TemporaryFile() as target, os.fdopen(os.dup(fd), "rb") as source:
        source.seek(0)
        opened: IO[bytes]
        with bz2.open(source) if head.startswith(_BZIP2) else lzma.open(source) as opened:
            if limit:
                target.write(opened.read(limit))
            else:
                shutil.copyfileobj(opened, target, 1 << 20)
        target.flush()
        yield target.fileno()


def _is_old_tar(header: bytes) -> bool:
    """A header from before ustar has a checksum that is right, and no magic."""
    field = header[148:156].strip(b" \0")
    if not field or not header[0]:
        return False
    try:
        return int(field, 8) == sum(header) - sum(header[148:156]) + 8 * 0x20
    except ValueError:
        return False

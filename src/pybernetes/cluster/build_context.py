"""A build context that comes as an archive: unpacked into a directory for as long as the build takes."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pybernetes.runtime.building.archives import is_archive, unpacked

_CHUNK = 1 << 20


@contextmanager
def spooled(stream: IO[bytes]) -> Iterator[int]:
    """A descriptor of an unnamed file with all that the stream has."""
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(stream, file, _CHUNK)
        file.flush()
        yield file.fileno()


@contextmanager
def open_context(archive: int) -> Iterator[Path | None]:
    """The directory that the archive (tar; also gzip, bzip2, xz, zstd) in file `archive` unpacks to.

    None if it is no archive. Raises InvalidError for one that is damaged or hostile; blocks.
    """
    if not is_archive(archive):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="pybernetes-context-") as staging:
        os.chmod(staging, 0o700)
        with unpacked(archive, "context", Path(staging)) as directory:
            yield directory

"""Rotates logs that grew too large, and removes the oldest parts. Blocking, except for the runtime's part."""

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pybernetes.aio.threads import Worker
from pybernetes.cri.errors import CRIError
from pybernetes.cri.service import RuntimeService
from pybernetes.kubelet.logs.record import files_of, open_directory, open_log
from pybernetes.kubelet.observed import ObservedContainer

log = logging.getLogger(__name__)


async def rotate_logs(
    containers: Iterable[ObservedContainer], runtime: RuntimeService, threads: Worker, max_bytes: int, max_files: int
) -> None:
    """Look at the log of each running container; one that is too large goes on in a new file."""
    for container in containers:
        path = Path(container.status.log_path)
        if not await threads.run(_is_large, path, max_bytes):
            continue
        try:
            part = await threads.run(_set_aside, path, max_files)
        except OSError as error:
            log.warning("cannot rotate log container=%s error=%s", container.id, error)
            continue
        try:
            await runtime.reopen_container_log(container.id)
        except CRIError as error:
            log.warning("cannot rotate log container=%s error=%s", container.id, error)
            await threads.run(part.rename, path)


def _is_large(path: Path, max_bytes: int) -> bool:
    try:
        with open_log(path) as file:
            return os.fstat(file.fileno()).st_size > max_bytes
    except OSError:
        return False


def _set_aside(path: Path, max_files: int) -> Path:
    """Rename the log; with the new one there are then at most `max_files`."""
    parts = [part for part in files_of(path) if part != path]
    part = path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%d-%H%M%S}")
    with open_directory(path) as directory:
        for old in parts[: max(0, len(parts) - (max_files - 2))]:
            os.unlink(old.name, dir_fd=directory)
        os.rename(path.name, part.name, src_dir_fd=directory, dst_dir_fd=directory)
    return part


def remove_log(path: Path) -> None:
    """The log of a removed attempt, with its parts."""
    with suppress(OSError), open_directory(path) as directory:
        for part in files_of(path):
            os.unlink(part.name, dir_fd=directory)

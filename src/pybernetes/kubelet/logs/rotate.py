"""Rotates logs that grew too large, and removes the oldest parts. Blocking, except for the runtime's part."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pybernetes.aio.threads import Worker
from pybernetes.cri.errors import CRIError
from pybernetes.cri.service import RuntimeService
from pybernetes.kubelet.logs.record import files_of
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
        part = await threads.run(_set_aside, path, max_files)
        try:
            await runtime.reopen_container_log(container.id)
        except CRIError as error:
            log.warning("cannot rotate log container=%s error=%s", container.id, error)
            await threads.run(part.rename, path)


def _is_large(path: Path, max_bytes: int) -> bool:
    try:
        return path.stat().st_size > max_bytes
    except OSError:
        return False


def _set_aside(path: Path, max_files: int) -> Path:
    """Rename the log; with the new one there are then at most `max_files`."""
    parts = [part for part in files_of(path) if part != path]
    for old in parts[: max(0, len(parts) - (max_files - 2))]:
        old.unlink(missing_ok=True)
    return path.rename(path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%d-%H%M%S}"))


def remove_log(path: Path) -> None:
    """The log of a removed attempt, with its parts."""
    for part in files_of(path):
        part.unlink(missing_ok=True)

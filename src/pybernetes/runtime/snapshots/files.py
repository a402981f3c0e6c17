"""Small files that are replaced as a whole, trees that vanish as a whole."""

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path


def replace(path: Path, data: bytes, *, durable: bool) -> None:
    """Write `data` to `path` so that a reader, or a kill at any moment, sees the old content or the new.

    With `durable` it survives the loss of power once this returns.
    """
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(fd)
        staged.rename(path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make what was created, renamed or removed in the directory survive the loss of power."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def discard(path: Path, trash: Path) -> None:
    """Remove a tree: its name is gone at once, its content after. Nothing happens if it is not there.

    `trash` is a directory of the same file system; what a kill leaves in it is removed by the next sweep.
    """
    doomed = trash / f"{path.name}.{secrets.token_hex(4)}"
    try:
        path.rename(doomed)
    except FileNotFoundError:
        return
    sweep_tree(doomed)


def sweep_trees(paths: Iterable[Path]) -> None:
    for path in paths:
        sweep_tree(path)


def sweep_tree(path: Path) -> None:
    """Remove a tree of ours; links in it are not followed."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)

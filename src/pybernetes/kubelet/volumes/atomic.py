"""Replaces a volume's files all at once: a reader sees the old set or the new one, never a mixture.

Layout (as upstream's): `..<time>/` holds the files, `..data` links to it, and each visible name links to `..data/name`.
"""

import os
import shutil
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pybernetes.kubelet.volumes.files import File, Files, check_paths

DATA = "..data"
_NEXT = "..data_tmp"


def write(directory: Path, files: Files, gid: int | None = None) -> bool:
    """Make `directory` hold exactly these files; False if it does already. Owned by `gid` if given. Blocking."""
    check_paths(files)
    old = _current(directory)
    if old is not None and _holds(old, files, gid):
        _link_visible(directory, files)
        return False
    new = Path(tempfile.mkdtemp(prefix=datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S."), dir=directory))
    _set_owner(new, 0o755 if gid is None else 0o2775, None, gid)
    for path, file in files.items():
        _write_file(new, path, file, gid)
    following = directory / _NEXT
    following.unlink(missing_ok=True)
    following.symlink_to(new.name)
    following.rename(directory / DATA)
    _link_visible(directory, files)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    return True


def _current(directory: Path) -> Path | None:
    """The set of files that is shown; None if there is none, or the link was led away from those made here."""
    link = directory / DATA
    name = os.readlink(link) if link.is_symlink() else ""
    current = directory / name
    is_name = name.startswith("..") and name != ".." and "/" not in name
    return current if is_name and current.is_dir() and not current.is_symlink() else None


def _holds(current: Path, files: Files, gid: int | None) -> bool:
    present = {str(path.relative_to(current)) for path in current.rglob("*") if not path.is_dir()}
    return present == set(files) and all(_is_same(current / path, file, gid) for path, file in files.items())


def _is_same(path: Path, file: File, gid: int | None) -> bool:
    found = path.lstat()
    return (
        found.st_mode == stat.S_IFREG | _mode(file, gid)
        and found.st_uid == (file.uid or 0)
        and found.st_gid == (gid or 0)
        and found.st_size == len(file.data)
        and path.read_bytes() == file.data
    )


def _mode(file: File, gid: int | None) -> int:
    """Files of a group are readable by it."""
    return file.mode if gid is None else file.mode | 0o440


def _write_file(root: Path, path: str, file: File, gid: int | None) -> None:
    target = root / path
    for parent in reversed(target.relative_to(root).parents[:-1]):
        if not (root / parent).is_dir():
            (root / parent).mkdir()
            _set_owner(root / parent, 0o755 if gid is None else 0o2775, None, gid)
    target.write_bytes(file.data)
    _set_owner(target, _mode(file, gid), file.uid, gid)


def _set_owner(path: Path, mode: int, uid: int | None, gid: int | None) -> None:
    if uid is not None or gid is not None:
        os.chown(path, uid or 0, gid or 0)
    path.chmod(mode)


def _link_visible(directory: Path, files: Files) -> None:
    wanted = {path.split("/")[0] for path in files}
    for entry in directory.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
    for name in wanted:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")

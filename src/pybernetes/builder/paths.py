"""Paths in an image. Pure."""

from posixpath import join, normpath


def absolute(cwd: str, path: str) -> str:
    """`path` as seen from `cwd`, without `.`, `..` and doubled slashes."""
    return "/" + normpath(join(cwd, path)).lstrip("/").removeprefix(".")


def target_of(cwd: str, path: str) -> str:
    """The same for where something is copied to: a slash at the end, or a name of a directory, says that it is one."""
    found = absolute(cwd, path)
    is_directory = path.endswith("/") or path.rpartition("/")[2] in ("", ".", "..")
    return f"{found.rstrip('/')}/" if is_directory else found

"""GET /logs/: the files of the node's log directory, as Go's file server shows them (upstream's enableSystemLogHandler).

That directory is the one in which the pods' logs are: upstream's /var/log. Links are followed while they stay in it;
upstream follows them all, so that whoever may write there (a pod with a hostPath) reads any file of the node.
"""

import errno
import os
import stat
from collections.abc import AsyncGenerator
from html import escape
from pathlib import Path
from urllib.parse import quote, urlsplit

from pybernetes.aio.http_server import CHUNK, Answer, Request, RequestError
from pybernetes.aio.threads import Worker
from pybernetes.kubelet.volumes.mounting import open_beneath

HTML = "text/html; charset=utf-8"


async def serve(request: Request, directory: Path, threads: Worker) -> Answer:
    """A page of links for a directory, the text of a file. Raises RequestError."""
    path = request.names["path"]
    has_slash = urlsplit(request.head.target).path.endswith("/")
    try:
        found = await threads.run(_open, directory, path)
    except OSError as error:
        raise _refusal(error) from error
    try:
        is_directory = stat.S_ISDIR(os.fstat(found).st_mode)
        if is_directory != has_slash:
            name = quote(path.rpartition("/")[2] or "logs")
            os.close(found)
            return Answer(b"", status=301, location=f"{name}/" if is_directory else f"../{name}")
        if is_directory:
            page = await threads.run(_page, found)
            os.close(found)
            return Answer(page, HTML)
    except OSError as error:
        os.close(found)
        raise _refusal(error) from error
    return Answer(_read(found, threads), "text/plain; charset=utf-8")


def _open(directory: Path, path: str) -> int:
    """A directory or a plain file below the directory; a pipe or a device is nothing to read."""
    root = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = open_beneath(root, path or ".", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    finally:
        os.close(root)
    mode = os.fstat(found).st_mode
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        os.close(found)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return found


def _refusal(error: OSError) -> RequestError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EXDEV, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL):
        return RequestError(404, "404 page not found")
    if error.errno in (errno.EACCES, errno.EPERM):
        return RequestError(403, "403 Forbidden")
    return RequestError(500, "500 Internal Server Error")


def _page(directory: int) -> bytes:
    with os.scandir(directory) as entries:
        known = sorted(entries, key=lambda entry: entry.name)
        names = [entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in known]
    links = "".join(f'<a href="{_reference(name)}">{escape(name)}</a>\n' for name in names)
    head = '<!doctype html>\n<meta name="viewport" content="width=device-width">\n'
    return f"{head}<pre>\n{links}</pre>\n".encode(errors="surrogateescape")


def _reference(name: str) -> str:
    """A name before whose colon no scheme is seen."""
    quoted = quote(os.fsencode(name))
    return f"./{quoted}" if ":" in name.partition("/")[0] else quoted


async def _read(file: int, threads: Worker) -> AsyncGenerator[bytes, None]:
    """To the end that the file had at first: a log that is written to meanwhile would never end."""
    try:
        left = os.fstat(file).st_size
        while left > 0 and (data := await threads.run(os.read, file, min(CHUNK, left))):
            left -= len(data)
            yield data
    finally:
        os.close(file)

"""Variables that an earlier container wrote into a file of a volume (KEP-3721): `NAME='value'` a line."""

import os
import stat
from pathlib import Path

from pybernetes.kubelet.volumes.mounting import open_beneath

MAX_BYTES = 1 << 20


class EnvFileError(Exception):
    """The file is not what it has to be; the words are for the log."""


def read_variable(volume: Path, path: str, key: str) -> str:
    """The value of a variable in a file below a volume's directory, "" without one. Blocking. Raises EnvFileError.

    A container may have put anything there: links out of the volume, pipes, more than anybody wants to read.
    """
    try:
        directory = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            descriptor = open_beneath(directory, path.lstrip("/"), os.O_RDONLY | os.O_NONBLOCK)
        finally:
            os.close(directory)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise EnvFileError("not a regular file")
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise EnvFileError(str(error)) from error
    if len(data) > MAX_BYTES:
        raise EnvFileError(f"more than {MAX_BYTES} bytes")
    return find(data.decode(errors="surrogateescape"), key)


def find(text: str, key: str) -> str:
    """The first value of `key`; "" if it is not there.

    Values stand in single quotes, in which everything is as it is, line breaks too. Blank lines, comments, and a
    comment after a value are passed over; a blank after `=` means that the value is empty, as a shell has it.
    """
    rest = text
    while rest:
        line, _, after = rest.partition("\n")
        line = line.removesuffix("\r").lstrip(" \t")
        if not line or line.startswith("#"):
            rest = after
            continue
        name, equals, value = line.partition("=")
        if not equals or not name or name != name.rstrip(" \t"):
            raise EnvFileError(f"no NAME='value': {line[:40]!r}")
        if value[:1] in (" ", "\t"):
            found, rest = "", after
        else:
            found, rest = _quoted(name, rest[rest.index("=") + 1 :])
        if name == key:
            return found
    return ""


def _quoted(name: str, text: str) -> tuple[str, str]:
    """A value in quotes at the beginning of the text, and the lines after it."""
    if not text.startswith("'"):
        raise EnvFileError(f"the value of {name} is not in single quotes")
    value, quote, after = text[1:].partition("'")
    line, _, rest = after.partition("\n")
    if not quote:
        raise EnvFileError(f"the value of {name} has no end")
    if (line := line.strip(" \t\r")) and not line.startswith("#"):
        raise EnvFileError(f"something stands behind the value of {name}")
    return value, rest

"""A streaming reader of tar archives (ustar, pax, GNU long names), made for layers: bytes in, entries out.

The standard library's `tarfile` takes twice as long for an entry (27 against 12 us), hides which bytes it read, and
offers paths where only names are safe; this reader does nothing but parse. Everything in an archive is hostile: sizes,
names and records are bounded.
"""

import hashlib
from collections.abc import Iterator

from msgspec import Struct, field

BLOCK = 512
_NAME_LIMIT = 4096
_RECORD_LIMIT = 1 << 20
_CHECKSUM = slice(148, 156)

REGULAR, HARD_LINK, SYMBOLIC_LINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
_KINDS = frozenset({REGULAR, HARD_LINK, SYMBOLIC_LINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO})
_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK = b"x", b"g", b"L", b"K"


class TarError(ValueError):
    """The archive is malformed or asks for something that no layer may."""


class Entry(Struct):
    """One member: names are bytes as they stand in the archive, unchecked."""

    kind: bytes
    name: bytes
    link: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    device: tuple[int, int]
    xattrs: dict[str, bytes] = field(default_factory=dict)


class Stream:
    """Exact reads over chunks of any size; hashes all that passes, unless nobody will ask (`hashed`)."""

    def __init__(self, chunks: Iterator[bytes], *, hashed: bool = True) -> None:
        self._chunks = chunks
        self._hashed = hashed
        self._buffer = memoryview(b"")
        self._digest = hashlib.sha256()
        self.count = 0

    def _fill(self) -> bool:
        chunk = next(self._chunks, b"")
        if self._hashed:
            self._digest.update(chunk)
        self.count += len(chunk)
        self._buffer = memoryview(chunk)
        return bool(chunk)

    def pieces(self, size: int) -> Iterator[memoryview]:
        """The next `size` bytes in pieces. Raises TarError if the stream ends before."""
        while size:
            if not self._buffer and not self._fill():
                raise TarError("archive is truncated")
            piece = self._buffer[:size]
            self._buffer = self._buffer[len(piece) :]
            size -= len(piece)
            yield piece

    def read(self, size: int) -> bytes:
        """The next `size` bytes; nothing at all at the end of the stream."""
        if len(self._buffer) >= size:
            data = bytes(self._buffer[:size])
            self._buffer = self._buffer[size:]
            return data
        if not self._buffer and not self._fill():
            return b""
        return b"".join(self.pieces(size))

    def skip(self, size: int) -> None:
        for _ in self.pieces(size):
            pass

    def digest(self) -> str:
        """Read to the end, and name all of it: `sha256:…`."""
        while self._fill():
            pass
        return f"sha256:{self._digest.hexdigest()}"


def entries(stream: Stream) -> Iterator[Entry]:
    """The members in order. After each, the caller has read exactly `entry.size` bytes of data from the stream.

    Padding is skipped here. Raises TarError.
    """
    overrides: dict[str, bytes] = {}
    while header := stream.read(BLOCK):
        if header.count(0) == BLOCK:
            return
        kind, size = _check(header), _number(header[124:136])
        if kind in (_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK):
            record = _read_record(stream, size)
            if kind == _PAX:
                overrides |= _pax(record)
            elif kind != _PAX_GLOBAL:
                overrides["path" if kind == _GNU_NAME else "linkpath"] = record.split(b"\0", 1)[0]
            continue
        entry = _entry(header, kind, size, overrides)
        overrides = {}
        yield entry
        # docker's client leaves out the last padding of a context that it rewrites (`build -f -`): so it ends the archive.
        stream.read(-entry.size % BLOCK)


def _check(header: bytes) -> bytes:
    """The kind of a header block whose checksum is right."""
    expected = sum(header) - sum(header[_CHECKSUM]) + 8 * 0x20
    if _number(header[_CHECKSUM]) != expected:
        raise TarError("archive has a header with a wrong checksum")
    kind = header[156:157]
    return REGULAR if kind in (b"\0", b"7") else kind


def _read_record(stream: Stream, size: int) -> bytes:
    if size > _RECORD_LIMIT:
        raise TarError(f"archive has an extended header of {size} bytes")
    record = stream.read(size) if size else b""
    if len(record) != size:
        raise TarError("archive is truncated")
    stream.skip(-size % BLOCK)
    return record


def _entry(header: bytes, kind: bytes, size: int, overrides: dict[str, bytes]) -> Entry:
    name = _text(header[0:100])
    if header[257:263] == b"ustar\0" and header[345]:
        name = _text(header[345:500]) + b"/" + name
    name = overrides.get("path", name)
    if kind == REGULAR and name.endswith(b"/"):
        kind = DIRECTORY
    if kind not in _KINDS:
        raise TarError(f"archive member {name!r} is of type {kind!r}, which no layer may have")
    link = overrides.get("linkpath", _text(header[157:257]))
    if max(len(name), len(link)) > _NAME_LIMIT or b"\0" in name + link:
        raise TarError(f"archive has a member with a bad name: {name[:80]!r}")
    if any(key.startswith("GNU.sparse.") for key in overrides):
        raise TarError(f"archive member {name!r} is sparse, which no layer may have")
    return Entry(
        kind=kind,
        name=name,
        link=link,
        mode=_number(header[100:108]) & 0o7777,
        uid=_override(overrides, "uid", header[108:116]),
        gid=_override(overrides, "gid", header[116:124]),
        size=_override(overrides, "size", header[124:136]) if kind == REGULAR else _no_data(size, kind),
        mtime_ns=_mtime(overrides.get("mtime"), header[136:148]),
        device=(_number(header[329:337]), _number(header[337:345])) if kind in (CHARACTER, BLOCK_DEVICE) else (0, 0),
        xattrs={key[13:]: value for key, value in overrides.items() if key.startswith("SCHILY.xattr.")},
    )


def _no_data(size: int, kind: bytes) -> int:
    # Links may repeat the size of their target, without its data; nothing else but a file has data.
    if size and kind not in (HARD_LINK, SYMBOLIC_LINK):
        raise TarError("archive has data behind a member that is no file")
    return 0


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _number(field: bytes) -> int:
    """Octal text, or base 256 if the first bit is set."""
    if field[0] & 0x80:
        if field[0] == 0xFF:
            raise TarError("archive has a negative number")
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:])
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise TarError(f"archive has a malformed number {field.decode('latin-1')!r}") from None


def _override(overrides: dict[str, bytes], key: str, field: bytes) -> int:
    text = overrides.get(key)
    if text is None:
        return _number(field)
    if not text.isdigit() or len(text) > 19:
        raise TarError(f"archive has a malformed {key} {text[:40]!r}")
    return int(text)


def _mtime(text: bytes | None, field: bytes) -> int:
    """Nanoseconds since 1970; what a file system cannot hold becomes 0."""
    if text is None:
        seconds, nanos = _number(field), 0
    else:
        whole, _, fraction = text.partition(b".")
        try:
            seconds, nanos = int(whole), int(fraction[:9].ljust(9, b"0"))
        except ValueError:
            raise TarError(f"archive has a malformed mtime {text[:40]!r}") from None
    return seconds * 1_000_000_000 + nanos if abs(seconds) < 1 << 34 else 0


def _pax(record: bytes) -> dict[str, bytes]:
    """`<length> <key>=<value>\\n` records; a value may hold any byte."""
    found: dict[str, bytes] = {}
    while record:
        digits, _, _ = record.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 9 else 0
        if not len(digits) + 3 <= length <= len(record) or record[length - 1 : length] != b"\n":
            raise TarError("archive has a malformed extended header")
        key, equals, value = record[len(digits) + 1 : length - 1].partition(b"=")
        if not equals:
            raise TarError("archive has a malformed extended header")
        found[key.decode("utf-8", "surrogateescape")] = value
        record = record[length:]
    return found

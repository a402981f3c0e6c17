"""Layer blobs to plain tar bytes, in bounded chunks; what a blob is compressed with is told by its first bytes."""

import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

import zstandard

CHUNK = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_WINDOW_LIMIT = 128 << 20


class CompressionError(ValueError):
    """The compressed data is damaged."""


def decompressed(fd: int) -> Iterator[bytes]:
    """The content of the file `fd` from its beginning, or of the pipe `fd`; no chunk is longer than 1 MiB."""
    chunks, head = _chunks(fd), b""
    while len(head) < 4 and (chunk := next(chunks, b"")):
        head += chunk
    whole = chain((head,), chunks)
    if head.startswith(_GZIP):
        return _gunzip(whole)
    if head[:4] == _ZSTD or int.from_bytes(head[:4], "little") in _ZSTD_SKIPPABLE:
        return _unzstd(whole)
    return whole


def _chunks(fd: int) -> Iterator[bytes]:
    with suppress(OSError):  # a pipe has no beginning
        os.lseek(fd, 0, os.SEEK_SET)
    while chunk := os.read(fd, CHUNK):
        yield chunk


def _gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        pending = chunk
        while pending:
            if member.eof:
                # Archives may be of several members (pigz, stargz); zero bytes after the last one are padding.
                if not pending.strip(b"\0"):
                    break
                member = zlib.decompressobj(wbits=31)
            try:
                if data := member.decompress(pending, CHUNK):
                    yield data
            except zlib.error as error:
                raise CompressionError(f"gzip: {error}") from error
            pending = member.unused_data if member.eof else member.unconsumed_tail
    while not member.eof and (data := member.decompress(b"", CHUNK)):
        yield data
    if not member.eof:
        raise CompressionError("gzip: unexpected end of data")


class _Reader:
    """Chunks as the file that zstandard reads."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            self._left = memoryview(next(self._chunks, b""))
        data, self._left = self._left[:size], self._left[size:]
        return bytes(data)


def _unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_LIMIT)
    source: Any = _Reader(chunks)  # all that it has to have is `read`
    reader = decompressor.stream_reader(source, read_size=CHUNK, read_across_frames=True)
    while True:
        try:
            data = reader.read(CHUNK)
        except zstandard.ZstdError as error:
            raise CompressionError(f"zstd: {error}") from error
        if not data:
            return
        yield data

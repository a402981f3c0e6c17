"""Layer blobs to plain tar bytes, in bounded chunks; what a blob is compressed with is told by its first bytes."""

import os
import zlib
from collections.abc import Iterator

import zstandard

CHUNK = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_WINDOW_LIMIT = 128 << 20


class CompressionError(ValueError):
    """The compressed data is damaged."""


def decompressed(fd: int) -> Iterator[bytes]:
    """The content of the file `fd` from its beginning, decompressed; no chunk is longer than 1 MiB."""
    magic = os.pread(fd, 4, 0)
    if magic.startswith(_GZIP):
        return _gunzip(_chunks(fd))
    if magic == _ZSTD or int.from_bytes(magic, "little") in _ZSTD_SKIPPABLE:
        return _unzstd(fd)
    return _chunks(fd)


def _chunks(fd: int) -> Iterator[bytes]:
    offset = 0
    while chunk := os.pread(fd, CHUNK, offset):
        offset += len(chunk)
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


def _unzstd(fd: int) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_LIMIT)
    with os.fdopen(os.dup(fd), "rb", buffering=0) as source:
        source.seek(0)
        reader = decompressor.stream_reader(source, read_size=CHUNK, read_across_frames=True)
        while True:
            try:
                data = reader.read(CHUNK)
            except zstandard.ZstdError as error:
                raise CompressionError(f"zstd: {error}") from error
            if not data:
                return
            yield data

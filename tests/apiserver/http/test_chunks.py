"""The chunked transfer coding: what is taken, what is refused and in which words, however it is cut into pieces."""

import pytest

from pybernetes.apiserver.http.chunks import ChunkError, Chunks

NEXT = b"GET / HTTP/1.1\r\n"
BODY = b"a" * 26


def decoded(data: bytes, size: int) -> tuple[bytes, bytes | None]:
    chunks, body, position = Chunks(), b"", 0
    while position < len(data):
        pieces, rest = chunks.feed(data[position : position + size])
        position += size
        body += b"".join(pieces)
        if rest is not None:
            return body, rest + data[position:]
    return body, None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    "data",
    [
        b"1a\r\n%b\r\n0\r\n\r\n",
        b"1A\r\n%b\r\n0\r\n\r\n",
        b"0000000000000000"[:14] + b"1a\r\n%b\r\n00\r\n\r\n",
        b'1a;name="a;b"\r\n%b\r\n0;last\r\n\r\n',
        b"1a \t\r\n%b\r\n0\r\n\r\n",
        b"1a\r\n%b\r\n0\r\nexpires: never\r\nx:\r\n\r\n",
    ],
)
def test_chunks_are_put_together(data, size):
    assert decoded(data % BODY + NEXT, size) == (BODY, NEXT)


@pytest.mark.parametrize("size", [1, 1000])
def test_many_small_ones(size):
    assert decoded(b"1\r\na\r\n" * 3000 + b"0\r\n\r\n", size) == (b"a" * 3000, b"")


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"zz\r\n", "invalid byte in chunk length"),
        (b"-1\r\n", "invalid byte in chunk length"),
        (b"+1\r\na\r\n", "invalid byte in chunk length"),
        (b"0x1\r\na\r\n", "invalid byte in chunk length"),
        (b" 1\r\na\r\n", "invalid byte in chunk length"),
        (b"1 ;a\r\na\r\n", "invalid byte in chunk length"),
        (b"\r\n", "empty hex number for chunk length"),
        (b";a\r\n", "empty hex number for chunk length"),
        (b"10000000000000000\r\n", "http chunk length too large"),
        (b"1\na\r\n", "chunked line ends with bare LF"),
        (b"1;a\rb\r\n", "invalid CR in chunked line"),
        (b"1\r\nab\r\n", "malformed chunked encoding"),
        (b"1\r\na\n0\r\n\r\n", "malformed chunked encoding"),
        (b"1\r\na0\r\n\r\n", "malformed chunked encoding"),
        (b"1;" + b"a" * 5000 + b"\r\n", "header line too long"),
        ((b"1;" + b"x" * 1000 + b"\r\na\r\n") * 20, "chunked encoding contains too much non-data"),
        (b"0\r\nnonsense\r\n\r\n", 'malformed MIME header: missing colon: "nonsense"'),
        (b"0\r\na: b\n\r\n", "chunked line ends with bare LF"),
        (b"0\r\na: " + b"x" * 5000 + b"\r\n\r\n", "http: suspiciously long trailer after chunked body"),
        (b"0\r\n" + b"a: b\r\n" * 1000 + b"\r\n", "http: suspiciously long trailer after chunked body"),
    ],
)
def test_what_is_no_chunk_is_named(data, words, size):
    with pytest.raises(ChunkError) as caught:
        decoded(data, size)
    assert str(caught.value) == words

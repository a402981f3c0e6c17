"""Requests out of bytes, however these are cut into pieces, and whatever they are."""

import random

import pytest

from pybernetes.apiserver.http.incoming import Incoming, Whole
from pybernetes.apiserver.http.reader import MAX_HEAD_BYTES, Reader
from pybernetes.apiserver.http.refusals import BAD_REQUEST, TOO_LARGE


class Taken:
    """Takes one request after the other, as a connection does."""

    def __init__(self):
        self.heads = {}
        self.requests = []
        self.refused = []
        self.reader = Reader(self, self.heads, lambda: Incoming(lambda data: None, 1000, 60.0), 1000)

    def take(self, line, head, body):
        self.requests.append((line, head, body))

    def refuse(self, words):
        self.refused.append(words)

    def read(self, data):
        self.reader.read(data)
        self.go_on()

    def go_on(self):
        while self.requests and not self.requests[-1][2].unread:
            count = len(self.requests)
            self.reader.go_on()
            if len(self.requests) == count:
                break

    @property
    def seen(self):
        return [(line.method, line.path, _body(body)) for line, _, body in self.requests]


def _body(body):
    return body._body if isinstance(body, Whole) else b"".join(body._chunks)


STREAM = (
    b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n"
    b"POST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello\r\n"
    b"POST /c HTTP/1.1\r\nHost:x\r\nTransfer-Encoding: \tCHUNKED \r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\na: b\r\n\r\n"
    b"PUT /d HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\nhello"
    b"POST /e HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\nhi"
    b"FOO /a HTTP/1.1\r\nhost: x\r\n\r\n"
)
SEEN = [("GET", "/a", b""), ("POST", "/b", b"hello"), ("POST", "/c", b"hello"), ("PUT", "/d", b"hello"), ("POST", "/e", b"hi"), ("FOO", "/a", b"")]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 10, 50, 10_000])
def test_a_stream_of_requests_in_pieces(size):
    taken = Taken()
    for start in range(0, len(STREAM), size):
        taken.read(STREAM[start : start + size])
    assert taken.seen == SEEN
    assert not taken.refused


def test_the_next_request_waits_for_the_answer():
    taken = Taken()
    taken.reader.read(STREAM)
    assert taken.seen == SEEN[:1]
    assert taken.reader.held == len(STREAM) - STREAM.index(b"POST /b")
    taken.reader.go_on()
    assert taken.seen == SEEN[:2]


def test_what_follows_a_request_may_be_of_another_protocol():
    taken = Taken()
    taken.reader.read(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: x\r\n\r\n\x00\n\xff")
    assert taken.requests[0][1].upgrade
    assert taken.reader.rest() == b"\x00\n\xff"
    taken.reader.read(b"more")
    assert not taken.refused


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\nhost: x\n\n", b"GET / HTTP/1.1\rhost: x\r\r", b"\x00\n", b"GET / HTTP/1.1\r\nhost: x\n"])  # fmt: skip
@pytest.mark.parametrize("size", [1, 1000])
def test_what_can_become_no_head_is_refused_before_its_end(data, size):
    taken = Taken()
    for start in range(0, len(data), size):
        taken.read(data[start : start + size])
    assert taken.refused == [BAD_REQUEST]


def test_a_head_without_end_is_refused():
    taken = Taken()
    piece = b"a: " + b"x" * 50_000 + b"\r\n"
    taken.read(b"GET / HTTP/1.1\r\n")
    for _ in range(MAX_HEAD_BYTES // len(piece)):
        taken.read(piece)
        assert not taken.refused
    taken.read(piece)
    assert taken.refused == [TOO_LARGE]


@pytest.mark.parametrize(
    ("headers", "length", "keeps"),
    [
        ("connection: close", 0, False), ("connection: x, Close", 0, False), ("connection: close, keep-alive", 0, False), ("connection: keep-alive", 0, True),
        ("connection: x\r\nconnection: close", 0, False), ("proxy-connection: close", 0, True), ("content-length:\t7\t", 7, True), ("transfer-encoding: chunked", -1, True),
    ],
)  # fmt: skip
def test_what_headers_say_of_the_connection(headers, length, keeps):
    taken = Taken()
    taken.reader.read(f"GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n".encode())
    head = taken.requests[0][1]
    assert (head.length, head.keep_alive) == (length, keeps)


@pytest.mark.parametrize(("headers", "keeps"), [("", False), ("connection: Keep-Alive\r\n", True)])
def test_http_1_0_ends_with_its_answer_unless_it_is_asked_to_stay(headers, keeps):
    taken = Taken()
    taken.reader.read(f"GET / HTTP/1.0\r\n{headers}\r\n".encode())
    assert taken.requests[0][1].keep_alive is keeps
    assert taken.requests[0][1].is_old


def test_known_headers_mean_the_same():
    """But for a version that reads them differently."""
    taken = Taken()
    taken.read(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 2 + b"GET / HTTP/1.0\r\nhost: x\r\n\r\n")
    first, second, third = (head for _, head, _ in taken.requests)
    assert first is second
    assert (first.keep_alive, third.keep_alive) == (True, False)


def test_whatever_comes_is_a_request_or_refused():
    """Requests that are spoiled byte by byte: nothing else is ever raised, and what is refused is the end."""
    numbers = random.Random(1)
    for _ in range(3000):
        data = bytearray(STREAM)
        for _ in range(numbers.randint(1, 6)):
            place = numbers.randrange(len(data))
            data[place : place + numbers.randint(0, 2)] = numbers.choice((b"", b"\r", b"\n", b"\r\n", b"\0", b" ", b":", b"9", b"\xff", bytes([numbers.randrange(256)])))  # fmt: skip
        taken = Taken()
        size = numbers.randint(1, 200)
        for start in range(0, len(data), size):
            taken.read(bytes(data[start : start + size]))
        assert len(taken.refused) <= 1
        assert len(taken.requests) <= 30

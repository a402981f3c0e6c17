"""Conditional requests and ranges: the answers are those of a running upstream server to the same requests."""

from datetime import UTC, datetime

import pytest

from pybernetes.apiserver.http.conditions import conditional
from pybernetes.apiserver.http.message import Request, Response

BODY = b"0123456789"
MODIFIED = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
SAME, PAST, FUTURE = (f"Sun, 01 Mar 20{year} 12:00:00 GMT" for year in (26, 20, 30))


def asked(method="GET", etag='"tag"', **headers):
    given = [(name.replace("_", "-"), value) for name, value in headers.items()]
    whole = Response(200, BODY, "text/x", [("vary", "Accept")])
    return conditional(Request(method, "/", "", given, None), whole, MODIFIED, etag)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"if_none_match": '"tag"'}, 304), ({"if_none_match": 'W/"tag"'}, 304), ({"if_none_match": '"a", "tag"'}, 304), ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"other"'}, 200), ({"if_none_match": "tag"}, 200), ({"if_none_match": '"other"', "if_modified_since": FUTURE}, 200),
        ({"if_match": '"tag"'}, 200), ({"if_match": "*"}, 200), ({"if_match": 'W/"tag"'}, 412), ({"if_match": '"other"'}, 412), ({"if_match": "nonsense"}, 412),
        ({"if_modified_since": SAME}, 304), ({"if_modified_since": FUTURE}, 304), ({"if_modified_since": PAST}, 200), ({"if_modified_since": "x"}, 200),
        ({"if_unmodified_since": SAME}, 200), ({"if_unmodified_since": PAST}, 412), ({"if_unmodified_since": FUTURE}, 200),
        ({"if_match": '"tag"', "if_unmodified_since": PAST}, 200),
    ],
)  # fmt: skip
def test_conditions(headers, status):
    assert asked(**headers).status == status


@pytest.mark.parametrize(("header", "value"), [("if_none_match", "*"), ("if_match", '"other"')])
def test_who_writes_is_told_that_a_condition_does_not_hold(header, value):
    assert asked("POST", **{header: value}).status == 412
    assert asked("POST", if_modified_since=FUTURE).status == 200


def test_what_answers_say_of_the_document():
    told = {"vary": "Accept", "etag": '"tag"', "last-modified": SAME, "accept-ranges": "bytes"}
    assert dict(asked().headers) == told
    assert dict(asked(if_none_match="*").headers) == {"vary": "Accept", "etag": '"tag"'}
    assert dict(asked(etag="", if_none_match="*").headers) == {"vary": "Accept", "last-modified": SAME}
    assert dict(asked(range="bytes=0-0").headers) == told | {"content-range": "bytes 0-0/10"}


@pytest.mark.parametrize(
    ("ranges", "body", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-99", BODY, "bytes 0-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=20-, 1-1", b"1", "bytes 1-1/10"),
    ],
)
def test_ranges(ranges, body, content_range):
    answer = asked(range=ranges)
    assert (answer.status, answer.body, dict(answer.headers)["content-range"]) == (206, body, content_range)


def test_several_ranges():
    answer = asked(range="bytes=0-1,8-")
    boundary = answer.content_type.removeprefix("multipart/byteranges; boundary=")
    parts = [(b"0-1", b"01"), (b"8-9", b"89")]
    told = b"".join(b"\r\n--%b\r\nContent-Range: bytes %b/10\r\nContent-Type: text/x\r\n\r\n%b" % (boundary.encode(), *part) for part in parts)  # fmt: skip
    assert answer.status == 206
    assert answer.body == told[2:] + b"\r\n--%b--\r\n" % boundary.encode()


@pytest.mark.parametrize(
    ("ranges", "words", "told"),
    [
        ("bytes=10-", b"invalid range: failed to overlap\n", "bytes */10"),
        ("lines=1-2", b"invalid range\n", None),
        ("bytes=2-1", b"invalid range\n", None),
        ("bytes=-", b"invalid range\n", None),
        ("bytes=a-b", b"invalid range\n", None),
        ("bytes=--1", b"invalid range\n", None),
        ("bytes=" + "9" * 5000 + "-", b"invalid range\n", None),
    ],
)
def test_what_is_no_range(ranges, words, told):
    answer = asked(range=ranges)
    assert (answer.status, answer.body, dict(answer.headers).get("content-range")) == (416, words, told)


@pytest.mark.parametrize(
    ("condition", "status"),
    [('"tag"', 206), ('"other"', 200), ('W/"tag"', 200), (SAME, 206), (PAST, 200), (FUTURE, 200), ("x", 200)],
)
def test_a_range_of_another_document_is_none(condition, status):
    assert asked(range="bytes=0-1", if_range=condition).status == status


def test_ranges_that_are_more_than_all_of_it_are_all_of_it():
    assert asked(range="bytes=0-9,0-9").status == 200
    assert asked(range="bytes=" + "0-0," * 5000).status == 200

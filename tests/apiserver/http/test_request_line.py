"""The first line of requests, in all forms of its target."""

import pytest

from pybernetes.apiserver.http.refusals import BAD_REQUEST, UNKNOWN_VERSION, RefusedError
from pybernetes.apiserver.http.request_line import LONGEST_LINE, read_line


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/version", "/version", ""),
        ("/a%20b%2Fc?d=%zz&e", "/a b/c", "d=%zz&e"),
        ("//a", "//a", ""),
        ("/a#b?c#d", "/a#b", "c#d"),
        ("/é", "/é", ""),
        ('/a"<>\\^`{|}', '/a"<>\\^`{|}', ""),
        ("http://x/a?b", "/a", "b"),
        ("HTTPS://u:p@x:99999/a", "/a", ""),
        ("ftp://[::1]:1/a", "/a", ""),
        ("http://x", "", ""),
        ("http://x?a", "", "a"),
        ("http:/a", "/a", ""),
        ("http:///a", "/a", ""),
        ("http:a", "", ""),
        ("x:443", "", ""),
        ("*", "*", ""),
    ],
)
def test_targets(target, path, query):
    line = read_line(f"GET {target} HTTP/1.1".encode())
    assert (line.method, line.path, line.query, line.is_old) == ("GET", path, query, False)


@pytest.mark.parametrize("line", ["get / HTTP/1.1", "M-SEARCH / HTTP/1.1", "CONNECT x:443 HTTP/1.1", "GET / HTTP/1.2"])
def test_any_token_is_a_method_and_any_later_version_is_read_as_1_1(line):
    assert read_line(line.encode()).method == line.partition(" ")[0]
    assert not read_line(line.encode()).is_old


def test_http_1_0():
    assert read_line(b"GET / HTTP/1.0").is_old


@pytest.mark.parametrize(
    "line",
    [
        b"", b"GET", b"GET /", b"GET  / HTTP/1.1", b" GET / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET / HTTP/1.1 x", b"GET /a b HTTP/1.1", b"GET\t/ HTTP/1.1",
        b"G@T / HTTP/1.1", b"GET / http/1.1", b"GET / HTTP/1", b"GET / HTTP/1.10", b"GET / HTTP/01.1", b"GET / HTTPS/1.1",
        b"GET a HTTP/1.1", b"GET ? HTTP/1.1", b"GET 1:/a HTTP/1.1", b"GET http://[::1/a HTTP/1.1", b"GET http://x:y/a HTTP/1.1",
        b"GET /\x01 HTTP/1.1", b"GET /?\x7f HTTP/1.1", b"GET /%zz HTTP/1.1", b"GET /%2 HTTP/1.1", b"GET http://x/%zz HTTP/1.1", b"GET / HTTP/\xb2.1",
    ],
)  # fmt: skip
def test_what_is_no_request_line(line):
    with pytest.raises(RefusedError) as caught:
        read_line(line)
    assert caught.value.words == BAD_REQUEST


@pytest.mark.parametrize("version", [b"0.9", b"2.0", b"3.0", b"9.9"])
def test_other_versions(version):
    with pytest.raises(RefusedError) as caught:
        read_line(b"GET / HTTP/" + version)
    assert caught.value.words == UNKNOWN_VERSION


def test_long_lines_are_not_remembered():
    short, long = b"GET /a%20b HTTP/1.1", b"GET /a%20" + b"b" * LONGEST_LINE + b" HTTP/1.1"
    assert read_line(short) is read_line(short)
    assert read_line(long) == read_line(long)
    assert read_line(long) is not read_line(long)

"""Links of proxied pages lead back through the proxy."""

import gzip

import pytest

from pybernetes.apiserver.kubelets.links import Back, unpacked

BACK = Back("/p/proxy", frozenset(("10.0.0.1:80", "cluster.test")))


@pytest.mark.parametrize(
    ("given", "led"),
    [
        ("/x?a=1#b", "/p/proxy/x?a=1#b"),
        ("/", "/p/proxy/"),
        ("x/y", "x/y"),
        ("#top", "#top"),
        ("", ""),
        ("http://10.0.0.1:80/x", "/p/proxy/x"),
        ("//cluster.test/x", "/p/proxy/x"),
        ("https://elsewhere.test/x", "https://elsewhere.test/x"),
        ("/p/proxy/x", "/p/proxy/x"),
        ("http://[/x", "http://[/x"),
        ("mailto:a@b", "mailto:a@b"),
    ],
)
def test_paths_of_the_backend_are_below_the_proxys(given: str, led: str) -> None:
    assert BACK.url(given) == led


@pytest.mark.parametrize(
    ("given", "led"),
    [
        (b'<a href="/x">t</a>', b'<a href="/p/proxy/x">t</a>'),
        (b"<A class=b HREF = '/x' >", b"<A class=b HREF = '/p/proxy/x' >"),
        (b"<img src=/x/><img src=/y>", b"<img src=/p/proxy/x/><img src=/p/proxy/y>"),
        (b'<a title="/x>" data-href="/x" href="/y">', b'<a title="/x>" data-href="/x" href="/p/proxy/y">'),
        (b'<p href="/x">/x', b'<p href="/x">/x'),
        (b'<!-- <a href="/x"> --><a href="/y">', b'<!-- <a href="/x"> --><a href="/p/proxy/y">'),
        (
            b"<script src=\"/s\">'<a href=\"/x\">'</script><a href='/y'>",
            b"<script src=\"/p/proxy/s\">'<a href=\"/x\">'</script><a href='/p/proxy/y'>",
        ),
        (b'\xe2\x82\xac\xff<a href="/\xc3\xa9">', b'\xe2\x82\xac\xff<a href="/p/proxy/\xc3\xa9">'),
        (b'<a href="/x', b'<a href="/x'),
        (b"1 < 2 <", b"1 < 2 <"),
    ],
)
def test_only_links_of_a_page_change(given: bytes, led: bytes) -> None:
    assert BACK.page(given) == led


@pytest.mark.parametrize("piece", [b"<a ", b"<!--", b'<a href="', b"<script>", b"a" * 64, b"a=' ", b"<a>=", b"<"])
def test_pages_are_read_without_going_back(piece: bytes) -> None:
    """A time that grew with the square of the length would be hours here."""
    inside = b"<a " + (piece * ((1 << 20) // len(piece))).replace(b">", b"")
    for page in (piece * ((1 << 20) // len(piece)), inside, inside + b">"):
        assert BACK.page(page) == page


def test_packed_pages_are_unpacked_up_to_a_limit() -> None:
    packed = gzip.compress(b"a" * 1000)
    assert unpacked(packed, "gzip", 1000) == b"a" * 1000
    assert unpacked(packed, "gzip", 999) is None
    assert unpacked(packed[:-4], "gzip", 1000) is None
    assert unpacked(b"plain", "gzip", 1000) is None
    assert unpacked(b"x", "br", 1000) is None
    assert unpacked(b"x", "", 1000) == b"x"

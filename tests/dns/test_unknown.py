"""Names that no service has, as the kubelet is told of them."""

from __future__ import annotations

import dnslib
import pytest

from pybernetes.dns.unknown import UnknownNames


def answer(name: str, code: int = 3) -> bytes:
    record = dnslib.DNSRecord.question(name).reply()
    record.header.rcode = code
    packed: bytes = record.pack()
    return packed


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("web.shop.svc.cluster.local", 3, True),
        ("WEB.shop.svc.cluster.local", 3, True),
        ("web.shop.svc.cluster.local", 0, False),
        ("example.com.shop.svc.cluster.local", 3, False),
        ("web.svc.cluster.local", 3, False),
        ("web.shop.pod.cluster.local", 3, False),
        ("example.com", 3, False),
    ],
)
def test_only_what_could_be_a_service_is_told(name: str, code: int, told: bool) -> None:
    heard: list[tuple[str, str]] = []
    UnknownNames("cluster.local", lambda *asked: heard.append(asked)).saw(answer(name, code), "10.244.0.9")
    assert heard == ([("10.244.0.9", name.lower())] if told else [])


def test_each_asker_is_told_once_of_each_name() -> None:
    heard: list[tuple[str, str]] = []
    names = UnknownNames("cluster.local", lambda *asked: heard.append(asked))
    for address in ("10.244.0.9", "10.244.0.9", "10.244.0.8"):
        names.saw(answer("web.shop.svc.cluster.local"), address)
    names.saw(b"", "10.244.0.9")
    assert [address for address, _ in heard] == ["10.244.0.9", "10.244.0.8"]

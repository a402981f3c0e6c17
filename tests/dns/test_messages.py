"""Bytes from strangers: whatever they are, the codec answers or refuses."""

import contextlib

import dns.message
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.dns import messages

QUERY = dns.message.make_query("web.default.svc.cluster.local", "A", use_edns=True).to_wire()
ANSWER = dns.message.from_text(
    "id 1\nopcode QUERY\nrcode NOERROR\nflags QR RD RA\n;QUESTION\nexample.com. IN A\n;ANSWER\nexample.com. 60 IN CNAME a.example.com.\n"
    "a.example.com. 60 IN A 192.0.2.1\n;AUTHORITY\nexample.com. 60 IN SOA ns.example.com. host.example.com. 1 2 3 4 5\n"
).to_wire()


def changed(data: bytes, changes: list[tuple[int, int]], length: int) -> bytes:
    made = bytearray(data)
    for position, value in changes:
        made[position % len(made)] = value
    return bytes(made[: length % (len(made) + 1)] if length else made)


CHANGES = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 255)), max_size=6)
LENGTHS = st.one_of(st.just(0), st.integers(0, 1000))


@given(st.one_of(st.binary(max_size=600), st.builds(changed, st.just(QUERY), CHANGES, LENGTHS)))
def test_any_query_is_parsed_or_refused(data: bytes) -> None:
    with contextlib.suppress(messages.MessageError):
        query = messages.parse_query(data)
        assert messages.code_of(messages.failure(query, messages.SERVFAIL)) == messages.SERVFAIL
        assert len(messages.fit(query, bytes(5000))) <= query.limit
        hash(query.key)


@given(st.one_of(st.binary(min_size=12, max_size=600), st.builds(changed, st.just(ANSWER), CHANGES, LENGTHS)))
def test_any_answer_is_read_or_refused(data: bytes) -> None:
    query = messages.parse_query(QUERY)
    messages.answers(query, data)
    with contextlib.suppress(messages.MessageError):
        messages.lifetime(data)
        messages.aged(data, 10)
        messages.extended(messages.failure(query, 0), data)

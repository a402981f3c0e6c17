"""DNS messages, at the edge to dnslib: queries in, answers of the zone out.

dnslib has the wire format (names, compression, EDNS) without a resolver or an event loop of its own.
"""

from collections.abc import Iterable

import dnslib
from dnslib.dns import EDNS0, RR, DNSError, DNSHeader, DNSQuestion, DNSRecord
from msgspec import Struct

from pybernetes.dns.records import Location
from pybernetes.dns.zone import TTL, Record

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
UDP_LIMIT, EDNS_LIMIT, TCP_LIMIT = 512, 1232, 65_535
_IN = 1
_HEADER_BYTES = 12
_TYPES = {number: name for name, number in dnslib.QTYPE.reverse.items()}


class MessageError(ValueError):
    """The bytes are no query; `answer` is what to say to that, or nothing at all."""

    def __init__(self, text: str, answer: bytes = b"") -> None:
        super().__init__(text)
        self.answer = answer


class Query(Struct, frozen=True):
    """A question: `name` in lower case, without the final dot. `limit` is what an answer by UDP may take, in bytes."""

    data: bytes
    name: str
    kind: str
    limit: int
    has_edns: bool
    record: DNSRecord

    @property
    def key(self) -> tuple[str, str, bytes]:
        """What makes two questions the same to a cache: name, type, and the flags RD, AD, CD and DO."""
        flags = bytes((self.data[2] & 1, self.data[3] & 0x30, self.record.ar[0].edns_do if self.has_edns else 0))
        return self.name, self.kind, flags


def parse_query(data: bytes) -> Query:
    """Raises MessageError."""
    if len(data) < _HEADER_BYTES or data[2] & 0x80:
        raise MessageError("not a query")
    try:
        record = DNSRecord.parse(data)
    except (DNSError, ValueError, IndexError, UnicodeError) as error:
        raise MessageError(f"malformed query: {error}", refusal(data, FORMERR)) from error
    if data[2] >> 3 & 0xF:
        raise MessageError("not a standard query", refusal(data, NOTIMP))
    if len(record.questions) != 1:
        raise MessageError("not one question", refusal(data, FORMERR))
    question = record.q
    if question.qclass != _IN:
        raise MessageError("not of class IN", refusal(data, REFUSED))
    name = str(question.qname).rstrip(".").lower()
    edns = [extra for extra in record.ar if extra.rtype == dnslib.QTYPE.OPT]
    limit = min(max(edns[0].edns_len, UDP_LIMIT), EDNS_LIMIT) if edns else UDP_LIMIT
    return Query(data, name, _TYPES.get(question.qtype, str(question.qtype)), limit, bool(edns), record)


def refusal(data: bytes, code: int) -> bytes:
    """An answer of nothing but a code, to a query of which only the header can be trusted."""
    flags = 0x80 | (data[2] & 0x79)
    return data[:2] + bytes((flags, 0x80 | code)) + bytes(8)


def answer(
    query: Query,
    code: int,
    records: Iterable[Record] = (),
    *,
    extra: Iterable[Record] = (),
    authority: Record | None = None,
) -> bytes:
    """The zone's own answer."""
    reply = _reply(query, code, authoritative=True)
    for record in records:
        reply.add_answer(_resource(record, query))
    if authority:
        reply.add_auth(_resource(authority, query))
    for record in extra:
        reply.add_ar(_resource(record, query))
    if query.has_edns:
        reply.add_ar(EDNS0(udp_len=EDNS_LIMIT))
    return bytes(reply.pack())


def question(name: str, like: Query) -> Query:
    """The same question about another name."""
    record = DNSRecord(like.record.header, questions=[DNSQuestion(name, like.record.q.qtype, _IN)])
    if like.has_edns:
        record.add_ar(like.record.ar[0])
    return parse_query(bytes(record.pack()))


def extended(data: bytes, other: bytes) -> bytes:
    """An answer with the records of another after its own, and its code. Raises MessageError."""
    first, second = _parse(data), _parse(other)
    first.header.rcode = second.header.rcode
    first.header.aa = 0
    first.rr.extend(second.rr)
    first.auth = second.auth
    return _pack(first)


def failure(query: Query, code: int) -> bytes:
    """An answer of nothing but a code."""
    return bytes(_reply(query, code, authoritative=False).pack())


def fit(query: Query, data: bytes) -> bytes:
    """The answer as UDP may carry it: one that is too long becomes an empty one, which says to ask again by TCP."""
    if len(data) <= query.limit:
        return data
    short = _reply(query, data[3] & 0xF, authoritative=bool(data[2] & 0x4))
    short.header.tc = 1
    if query.has_edns:
        short.add_ar(EDNS0(udp_len=EDNS_LIMIT))
    return bytes(short.pack())


def cut(data: bytes) -> bytes:
    """The answer as TCP may carry it: with as many of its records as there is room for, additional ones last (RFC 2181,
    section 9). Raises MessageError."""
    if len(data) <= TCP_LIMIT:
        return data
    message = _parse(data)
    message.ar = [record for record in message.ar if record.rtype == dnslib.QTYPE.OPT]
    while len(data := _pack(message)) > TCP_LIMIT:
        message.header.tc = 1
        del message.rr[len(message.rr) * TCP_LIMIT // len(data) :]
    return data


def with_id(data: bytes, like: bytes) -> bytes:
    """The message under the id of another."""
    return like[:2] + data[2:]


def is_truncated(data: bytes) -> bool:
    return bool(data[2] & 0x2)


def code_of(data: bytes) -> int:
    return data[3] & 0xF


def answers(query: Query, data: bytes) -> bool:
    """Whether this is an answer to the very question: a stranger's guess is not."""
    question = query.data[_HEADER_BYTES : _HEADER_BYTES + _question_bytes(query)]
    return (
        len(data) >= _HEADER_BYTES + len(question)
        and data[:2] == query.data[:2]
        and bool(data[2] & 0x80)
        and data[_HEADER_BYTES : _HEADER_BYTES + len(question)].lower() == question.lower()
    )


def _question_bytes(query: Query) -> int:
    return sum(len(label) + 1 for label in query.record.q.qname.label) + 1 + 4


def lifetime(data: bytes) -> int:
    """Seconds for which an answer of somebody else may be kept. Raises MessageError if it cannot be read."""
    record = _parse(data)
    times = [each.ttl for each in (*record.rr, *record.auth) if each.rtype != dnslib.QTYPE.OPT]
    return int(min(times, default=0))


def aged(data: bytes, seconds: int) -> bytes:
    """The answer as it reads some seconds later. Raises MessageError."""
    record = _parse(data)
    for each in (*record.rr, *record.auth, *(extra for extra in record.ar if extra.rtype != dnslib.QTYPE.OPT)):
        each.ttl = max(0, each.ttl - seconds)
    return _pack(record)


def _parse(data: bytes) -> DNSRecord:
    try:
        return DNSRecord.parse(data)
    except (DNSError, ValueError, IndexError, UnicodeError) as error:
        raise MessageError(f"malformed answer: {error}") from error


def _pack(record: DNSRecord) -> bytes:
    """What was parsed need not be what can be written."""
    try:
        return bytes(record.pack())
    except (DNSError, ValueError, IndexError, UnicodeError) as error:
        raise MessageError(f"malformed answer: {error}") from error


def _reply(query: Query, code: int, *, authoritative: bool) -> DNSRecord:
    asked = query.record.header
    header = DNSHeader(id=asked.id, qr=1, aa=int(authoritative), rd=asked.rd, ra=1, rcode=code)
    return DNSRecord(header, questions=[DNSQuestion(query.record.q.qname, query.record.q.qtype, _IN)])


def _resource(record: Record, query: Query) -> RR:
    # The name that was asked for is answered as it was written: resolvers compare the case that they chose.
    name = query.record.q.qname if record.name == query.name else record.name
    return RR(name, getattr(dnslib.QTYPE, record.kind), rdata=_data(record), ttl=TTL)


def _data(record: Record) -> object:
    data = record.data
    if isinstance(data, Location):
        return dnslib.SRV(data.priority, data.weight, data.port, data.target)
    if record.kind == "SOA":
        # Serial, refresh, retry, expire, and how long "there is no such name" may be kept.
        return dnslib.SOA(data, f"hostmaster.{record.name}", (1, 7200, 1800, 86400, TTL))
    return getattr(dnslib, record.kind)(data)

"""The server on real sockets, judged by dnspython; other zones are answered by a resolver of the test's own."""

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from pybernetes.aio.clock import FakeClock
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import discovery_v1 as discovery
from pybernetes.api.types import meta_v1 as meta
from pybernetes.client.informer import Informers
from pybernetes.client.rest import Client
from pybernetes.dns.cache import Cache
from pybernetes.dns.forward import Forwarder, Resolvers
from pybernetes.dns.main import Names
from pybernetes.dns.records import A, Records
from pybernetes.dns.resolver import Resolver
from pybernetes.dns.server import serving
from pybernetes.dns.zone import Zone

WEB = "web.default.svc.cluster.local"
Reply = Callable[[dns.message.Message], dns.message.Message | None]


@dataclass
class Upstream(asyncio.DatagramProtocol):
    """A resolver whose answers a test decides; counts what it is asked."""

    reply: Reply
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = self._transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        self.asked.append(f"udp {query.question[0].name}")
        answer = self.reply(query)
        if answer:
            self._transport.sendto(answer.to_wire(max_size=4096), addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = dns.message.from_wire(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))
        self.asked.append(f"tcp {query.question[0].name}")
        answer = address(query)
        wire = answer.to_wire()
        writer.write(len(wire).to_bytes(2) + wire)
        writer.close()


def address(query: dns.message.Message, ttl: int = 60, count: int = 1) -> dns.message.Message:
    answer = dns.message.make_response(query)
    texts = [f"192.0.2.{number + 1}" for number in range(count)]
    answer.answer.append(dns.rrset.from_text_list(query.question[0].name, ttl, "IN", "A", texts))
    return answer


@dataclass
class World:
    zone: Zone
    resolver: Resolver
    clock: FakeClock
    upstream: Upstream
    port: int = 0

    async def ask(self, name: str, kind: str = "A", *, tcp: bool = False, edns: int = -1) -> dns.message.Message:
        query = dns.message.make_query(
            name, kind, use_edns=edns if edns >= 0 else False, payload=edns if edns > 0 else None
        )
        ask = dns.query.tcp if tcp else dns.query.udp
        return await asyncio.to_thread(ask, query, "127.0.0.1", 8, self.port)

    async def raw(self, data: bytes, timeout: float = 0.2) -> bytes:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(("127.0.0.1", self.port))
            await loop.sock_sendall(client, data)
            async with asyncio.timeout(timeout):
                return await loop.sock_recv(client, 4096)

    def put(self, name: str, records: Records) -> None:
        self.zone.put(name, records)
        self.resolver.forget()


def free_port() -> int:
    """A port of 127.0.0.1 that neither TCP nor UDP uses."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                return int(tcp.getsockname()[1])


@asynccontextmanager
async def open_world(tmp_path: Path, reply: Reply) -> AsyncIterator[World]:
    loop, upstream = asyncio.get_running_loop(), Upstream(reply)
    local = ("127.0.0.1", free_port())
    transport, _ = await loop.create_datagram_endpoint(lambda: upstream, local_addr=local)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", upstream.port)
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"search example.com\nnameserver 127.0.0.1:{upstream.port}\noptions ndots:5\n")
    zone, clock = Zone("cluster.local", "10.96.0.10", ["10.96.0.0/12"]), FakeClock()
    zone.put("default/web", {(WEB, A): ("10.96.0.9",)})
    resolver = Resolver(zone, Cache(clock), Forwarder(Resolvers(conf)))
    resolver.known.set()
    async with serving(resolver, "127.0.0.1", free_port()) as port:
        yield World(zone, resolver, clock, upstream, port)
    transport.close()
    server.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path, address) as opened:
        yield opened


def addresses(message: dns.message.Message) -> list[str]:
    return [item.to_text() for found in message.answer for item in found]


@pytest.mark.parametrize("tcp", [False, True])
async def test_a_service_is_answered_with_authority(world: World, tcp: bool) -> None:
    for _ in range(2):
        answer = await world.ask(WEB, tcp=tcp)
        assert addresses(answer) == ["10.96.0.9"]
        assert answer.answer[0].ttl == 30
        assert answer.flags & dns.flags.AA
        assert answer.flags & dns.flags.RA
        assert answer.rcode() == dns.rcode.NOERROR


async def test_case_is_answered_as_it_was_asked(world: World) -> None:
    answer = await world.ask("WeB.default.SVC.cluster.local")
    assert answer.answer[0].name.to_text() == "WeB.default.SVC.cluster.local."


async def test_what_is_not_there_comes_with_the_zones_authority(world: World) -> None:
    missing, empty = await world.ask("none.default.svc.cluster.local"), await world.ask(WEB, "AAAA")
    assert (missing.rcode(), empty.rcode()) == (dns.rcode.NXDOMAIN, dns.rcode.NOERROR)
    for answer in (missing, empty):
        assert answer.answer == []
        assert answer.authority[0].rdtype == dns.rdatatype.SOA
        assert answer.authority[0].name.to_text() == "cluster.local."
    assert world.upstream.asked == []


async def test_a_change_is_answered_at_once(world: World) -> None:
    await world.ask(WEB)
    world.put("default/web", {(WEB, A): ("10.96.0.8",)})
    assert addresses(await world.ask(WEB)) == ["10.96.0.8"]
    world.put("default/web", {})
    assert (await world.ask(WEB)).rcode() == dns.rcode.NXDOMAIN


async def test_a_name_is_not_denied_before_all_are_known(world: World) -> None:
    world.resolver.known.clear()
    world.put("default/web", {})
    assert addresses(await world.ask("example.com")) == ["192.0.2.1"]
    asking = asyncio.ensure_future(world.ask(WEB))
    await asyncio.sleep(0.1)
    world.put("default/web", {(WEB, A): ("10.96.0.9",)})
    assert not asking.done()
    world.resolver.known.set()
    assert addresses(await asking) == ["10.96.0.9"]


async def test_a_long_answer_is_asked_for_again_by_tcp(world: World) -> None:
    many = tuple(f"10.244.{number // 250}.{number % 250}" for number in range(100))
    world.put("default/web", {(WEB, A): many})
    short = await world.ask(WEB)
    assert short.flags & dns.flags.TC
    assert short.answer == []
    assert len(addresses(await world.ask(WEB, tcp=True))) == 100
    world.put("default/web", {(WEB, A): many[:60]})
    assert len(addresses(await world.ask(WEB, edns=1232))) == 60
    assert (await world.ask(WEB, edns=512)).flags & dns.flags.TC


async def test_an_answer_that_tcp_cannot_carry_is_cut(world: World) -> None:
    many = tuple(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}" for number in range(5000))
    world.put("default/web", {(WEB, A): many})
    cut = await world.ask(WEB, tcp=True)
    assert cut.flags & dns.flags.TC
    assert 4000 < len(addresses(cut)) < 5000


async def test_edns_is_answered_with_edns(world: World) -> None:
    assert (await world.ask(WEB, edns=1232)).edns == 0
    assert (await world.ask(WEB)).edns == -1


async def test_other_names_are_forwarded_and_kept(world: World) -> None:
    assert addresses(await world.ask("example.com")) == ["192.0.2.1"]
    await world.clock.advance(10)
    again = await world.ask("EXAMPLE.com")
    assert again.answer[0].ttl == 50
    assert world.upstream.asked == ["udp example.com."]
    await world.clock.advance(21)
    assert (await world.ask("example.com")).answer[0].ttl == 60
    assert len(world.upstream.asked) == 2


async def test_the_same_question_at_the_same_time_is_asked_once(world: World) -> None:
    answers = await asyncio.gather(*(world.ask("example.com") for _ in range(20)))
    assert {addresses(answer)[0] for answer in answers} == {"192.0.2.1"}
    assert len(world.upstream.asked) < 20


async def test_an_alias_of_another_zone_comes_with_its_addresses(world: World) -> None:
    world.put("default/out", {("out.default.svc.cluster.local", "CNAME"): ("example.com",)})
    assert addresses(await world.ask("out.default.svc.cluster.local")) == ["example.com.", "192.0.2.1"]


async def test_a_truncated_answer_is_fetched_by_tcp(tmp_path: Path) -> None:
    def truncated(query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.TC
        return answer

    async with open_world(tmp_path, truncated) as world:
        assert addresses(await world.ask("example.com")) == ["192.0.2.1"]
        assert world.upstream.asked == ["udp example.com.", "tcp example.com."]


async def test_a_failing_resolver_is_asked_again_and_then_named(tmp_path: Path) -> None:
    def failing(query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.set_rcode(dns.rcode.SERVFAIL)
        return answer

    async with open_world(tmp_path, failing) as world:
        assert (await world.ask("example.com")).rcode() == dns.rcode.SERVFAIL
        assert len(world.upstream.asked) >= 1


async def test_an_answer_to_another_question_is_ignored(tmp_path: Path) -> None:
    def lying(query: dns.message.Message) -> dns.message.Message:
        return address(dns.message.make_query("attack.example", "A", id=query.id))

    async with open_world(tmp_path, lying) as world:
        with pytest.raises(TimeoutError):
            await world.raw(dns.message.make_query("example.com", "A").to_wire())
        assert world.upstream.asked == ["udp example.com."]


async def test_without_resolvers_the_answer_is_a_failure_at_once(world: World, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("")
    assert (await world.ask("example.com")).rcode() == dns.rcode.SERVFAIL
    (tmp_path / "resolv.conf").unlink()
    assert (await world.ask("example.org")).rcode() == dns.rcode.SERVFAIL
    assert addresses(await world.ask(WEB)) == ["10.96.0.9"]


def test_resolvers_are_read_as_the_file_has_them(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text(
        "# x\nnameserver 10.0.0.2\nnameserver fd00::1\nnameserver [fd00::2]:5353\nnameserver\nnameserver 10.96.0.10\n"
    )
    resolvers = Resolvers(conf, frozenset({"10.96.0.10"}))
    assert resolvers.servers() == [("10.0.0.2", 53), ("fd00::1", 53), ("fd00::2", 5353)]
    conf.write_text("nameserver 127.0.0.53\n")
    os.utime(conf, ns=(1, 1))
    assert resolvers.servers() == [("127.0.0.53", 53)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda query: query[:2] + b"\x10" + query[3:], dns.rcode.NOTIMP),
        (lambda query: query[:4] + b"\0\0" + query[6:12], dns.rcode.FORMERR),
        (lambda query: query[:-2] + b"\0\3", dns.rcode.REFUSED),
        (lambda query: query[:20], dns.rcode.FORMERR),
        (lambda query: query[:12] + b"\xc0\x0c\0\1\0\1", dns.rcode.FORMERR),
    ],
)
async def test_what_is_no_question_is_refused(world: World, change: Callable[[bytes], bytes], code: int) -> None:
    answer = await world.raw(change(dns.message.make_query(WEB, "A").to_wire()))
    assert answer[3] & 0xF == code


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\0" * 11, dns.message.make_response(dns.message.make_query(WEB, "A", id=1)).to_wire()]
)
async def test_what_is_no_query_is_not_answered(world: World, data: bytes) -> None:
    with pytest.raises(TimeoutError):
        await world.raw(data)
    assert addresses(await world.ask(WEB)) == ["10.96.0.9"]


async def test_any_bytes_leave_the_server_as_it_was(world: World) -> None:
    query = dns.message.make_query(WEB, "A", use_edns=True).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for position in range(2, len(query)):
            for value in (0, 1, 0x3F, 0xC0, 0xFF):
                client.sendto(query[:position] + bytes((value,)) + query[position + 1 :], ("127.0.0.1", world.port))
                await asyncio.sleep(0)
        for length in range(len(query)):
            client.sendto(query[:length], ("127.0.0.1", world.port))
    assert addresses(await world.ask(WEB)) == ["10.96.0.9"]


async def test_several_questions_may_follow_on_one_connection(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    for name in (WEB, "example.com"):
        query = dns.message.make_query(name, "A").to_wire()
        writer.write(len(query).to_bytes(2) + query)
        answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        assert dns.message.from_wire(answer).answer
    writer.close()


async def test_busybox_finds_a_service(world: World) -> None:
    command = ["busybox", "nslookup", "-type=a", f"{WEB}.", f"127.0.0.1:{world.port}"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert "Address: 10.96.0.9" in done.stdout


async def test_names_follow_the_informers() -> None:
    informers = Informers(cast(Client, None))
    zone = Zone("cluster.local")
    resolver = Resolver(zone, Cache(FakeClock()), Forwarder(Resolvers(Path("/nonexistent"))))
    names = Names(informers, zone, resolver)
    service = v1.Service(
        metadata=meta.ObjectMeta(name="web", namespace="default", uid="u", resource_version="1"),
        spec=v1.ServiceSpec(cluster_ip="None"),
    )
    informers.of(v1.Service).replace([service], "1")
    informers.of(discovery.EndpointSlice).replace([], "1")
    await names.wait_known()
    assert not zone.look_up(WEB, "A").exists
    slice = discovery.EndpointSlice(
        metadata=meta.ObjectMeta(
            name="web-1",
            namespace="default",
            uid="s",
            resource_version="2",
            labels={"kubernetes.io/service-name": "web"},
        ),
        address_type="IPv4",
        endpoints=[discovery.Endpoint(addresses=["10.244.0.5"])],
    )
    informers.of(discovery.EndpointSlice).replace([slice], "2")
    assert [record.data for record in zone.look_up(WEB, "A").records] == ["10.244.0.5"]
    informers.of(v1.Service).replace([], "3")
    assert not zone.look_up(WEB, "A").exists

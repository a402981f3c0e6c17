"""The etcd backend against a real etcd (Debian's etcd-server): the contract, and its absence told by name."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.etcds import Authority, running_etcd
from tests.ports import free_port

from pybernetes.store.backend import Backend, UnavailableError
from pybernetes.store.etcd import open_store
from pybernetes.store.etcd.backend import tells_progress
from pybernetes.store.testsuite import THINGS, A, B, Contract, next_events


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[str]:
    """A fresh etcd on loopback; its URL."""
    with running_etcd(tmp_path) as address:
        yield f"etcd://{address}"


class TestContract(Contract):
    @pytest.fixture
    async def backend(self, etcd: str) -> AsyncIterator[Backend]:
        store = await open_store(etcd)
        yield store
        await store.close()


async def test_state_is_shared_by_all_who_connect(etcd: str) -> None:
    one, other = await open_store(etcd), await open_store(etcd)
    await one.create(A, b"1")
    found, _ = await other.get(A)
    assert found is not None
    assert found.value == b"1"
    await one.close()
    await other.close()


async def test_missing_etcd_is_told_by_name() -> None:
    with pytest.raises(UnavailableError, match="etcd"):
        await open_store(f"etcd://127.0.0.1:{free_port()}")


@pytest.mark.parametrize("url", ["etcd://", "etcd://nowhere", "etcd://a:1,b"])
async def test_malformed_address_is_refused(url: str) -> None:
    with pytest.raises(UnavailableError, match="names no etcd"):
        await open_store(url)


async def test_tls_with_client_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, stranger = authority.sign("client"), Authority(tmp_path, "other").sign("stranger")
    ca, dead = str(authority.file), free_port()
    with running_etcd(tmp_path / "data", authority) as address:
        # The first endpoint does not answer: the next one does.
        urls = f"etcds://127.0.0.1:{dead},{address}"
        store = await open_store(urls, ca=ca, certificate=str(pair.certificate), key=str(pair.key))
        async with store.watch(THINGS, await store.current_revision()) as watcher:
            assert (await store.create(A, b"1")).succeeded
            assert [event.key for event in await next_events(watcher, 1)] == [A]
        await store.close()
        for certificate, key in ((stranger.certificate, stranger.key), ("", "")):
            with pytest.raises(UnavailableError, match="etcd: UNAVAILABLE"):
                await open_store(f"etcds://{address}", ca=ca, certificate=str(certificate), key=str(key))
        with pytest.raises(FileNotFoundError):
            await open_store(f"etcds://{address}", ca=str(tmp_path / "none"))


async def test_two_clusters_share_an_etcd_by_prefixes(etcd: str) -> None:
    one, other = await open_store(etcd), await open_store(etcd, prefix="/other")
    bare = await open_store(etcd, prefix="/")
    await one.create(A, b"1")
    assert (await other.create(A, b"2")).succeeded
    found, _ = await other.get(A)
    assert found is not None
    assert (found.key, found.value) == (A, b"2")
    assert [pair.key for pair in (await other.range(THINGS)).items] == [A]
    async with other.watch(THINGS, 0) as watcher:
        assert [(event.key, event.value) for event in await next_events(watcher, 1)] == [(A, b"2")]
        await one.create(B, b"not for the other")
        # The watch hears nothing of it, yet learns that nothing happened.
        now = await one.current_revision()
        await watcher.ask_progress()
        async with asyncio.timeout(10):
            async for batch in watcher:
                assert all(event.key != B for event in batch)
                if watcher.revision >= now:
                    break
    for store in (one, other, bare):
        await store.close()


@pytest.mark.parametrize(
    ("version", "told"),
    [("3.4.23", False), ("3.4.31", True), ("3.5.12", False), ("3.5.13", True), ("3.6.0", True), ("3.3.9", False), ("", False)],
)  # fmt: skip
def test_whose_progress_can_be_relied_on(version: str, told: bool) -> None:
    assert tells_progress(version) is told

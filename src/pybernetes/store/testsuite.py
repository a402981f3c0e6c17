"""The store's contract as tests. A backend's test module subclasses Contract and provides the `backend` fixture."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pybernetes.store.backend import (
    Backend,
    CompactedError,
    Event,
    FutureRevisionError,
    Watcher,
)

A, B, C = b"/registry/things/a", b"/registry/things/b", b"/registry/things/c"
THINGS = b"/registry/things/"


async def next_events(watcher: Watcher, count: int) -> list[Event]:
    """The next `count` events; fails if they do not arrive within 5 s."""
    events: list[Event] = []
    async with asyncio.timeout(5):
        async for batch in watcher:
            events += batch
            if len(events) >= count:
                break
    return events


class Contract:
    """What every backend must do (etcd's semantics, see store/backend.py)."""

    @pytest.fixture
    def backend(self) -> AsyncIterator[Backend]:
        raise TypeError("a subclass provides the backend")

    async def test_create_then_get(self, backend: Backend) -> None:
        written = await backend.create(A, b"1")
        assert written.succeeded
        found, revision = await backend.get(A)
        assert found is not None
        assert (found.key, found.value, found.revision, found.create_revision) == (
            A, b"1", written.revision, written.revision,
        )  # fmt: skip
        assert revision >= written.revision

    async def test_revisions_are_one_counter(self, backend: Backend) -> None:
        first = await backend.create(A, b"1")
        second = await backend.create(B, b"1")
        third = await backend.update(A, b"2", first.revision)
        assert [second.revision, third.revision] == [first.revision + 1, first.revision + 2]
        assert await backend.current_revision() == third.revision

    async def test_create_of_existing_key_is_refused(self, backend: Backend) -> None:
        first = await backend.create(A, b"1")
        second = await backend.create(A, b"2")
        assert not second.succeeded
        assert second.current is not None
        assert (second.current.value, second.current.revision) == (b"1", first.revision)

    async def test_update_needs_the_expected_revision(self, backend: Backend) -> None:
        first = await backend.create(A, b"1")
        assert (await backend.update(A, b"2", first.revision)).succeeded
        stale = await backend.update(A, b"3", first.revision)
        assert not stale.succeeded
        assert stale.current is not None
        assert stale.current.value == b"2"
        assert stale.current.create_revision == first.revision

    async def test_update_of_missing_key_is_refused(self, backend: Backend) -> None:
        written = await backend.update(A, b"1", 42)
        assert not written.succeeded
        assert written.current is None

    async def test_deleted_key_is_gone(self, backend: Backend) -> None:
        await backend.create(A, b"1")
        assert (await backend.delete(A)).succeeded
        assert (await backend.get(A))[0] is None
        assert not (await backend.delete(A)).succeeded

    async def test_delete_needs_the_expected_revision(self, backend: Backend) -> None:
        first = await backend.create(A, b"1")
        second = await backend.update(A, b"2", first.revision)
        assert not (await backend.delete(A, first.revision)).succeeded
        assert (await backend.delete(A, second.revision)).succeeded

    async def test_recreated_key_has_a_new_create_revision(self, backend: Backend) -> None:
        await backend.create(A, b"1")
        await backend.delete(A)
        again = await backend.create(A, b"2")
        found, _ = await backend.get(A)
        assert found is not None
        assert found.create_revision == again.revision

    async def test_range_is_ordered_and_paged(self, backend: Backend) -> None:
        for key in (C, A, B, b"/registry/thingsx", b"/registry/other/a"):
            await backend.create(key, key)
        page = await backend.range(THINGS, limit=2)
        assert [item.key for item in page.items] == [A, B]
        assert page.remaining == 1
        rest = await backend.range(THINGS, start=B + b"\0", limit=2, revision=page.revision)
        assert [item.key for item in rest.items] == [C]
        assert rest.remaining == 0
        assert await backend.count(THINGS) == 3

    async def test_range_at_a_revision_sees_the_past(self, backend: Backend) -> None:
        first = await backend.create(A, b"1")
        await backend.create(B, b"1")
        await backend.update(A, b"2", first.revision)
        await backend.delete(B)
        past = await backend.range(THINGS, revision=first.revision + 1)
        assert [(item.key, item.value) for item in past.items] == [(A, b"1"), (B, b"1")]
        now = await backend.range(THINGS)
        assert [(item.key, item.value) for item in now.items] == [(A, b"2")]
        found, _ = await backend.get(A, first.revision)
        assert found is not None
        assert found.value == b"1"

    async def test_future_revision_is_refused(self, backend: Backend) -> None:
        await backend.create(A, b"1")
        with pytest.raises(FutureRevisionError):
            await backend.range(THINGS, revision=1_000_000)

    async def test_watch_replays_history_then_follows(self, backend: Backend) -> None:
        first = await backend.create(A, b"1")
        await backend.create(b"/registry/other/a", b"1")
        second = await backend.update(A, b"2", first.revision)
        async with backend.watch(THINGS, first.revision - 1) as watcher:
            await backend.create(B, b"1")
            await backend.delete(A)
            events = await next_events(watcher, 4)
        assert [(event.key, event.value) for event in events] == [(A, b"1"), (A, b"2"), (B, b"1"), (A, None)]
        revisions = [event.revision for event in events]
        assert revisions == sorted(set(revisions))
        created, updated, _, deleted = events
        assert (created.revision, updated.revision) == (first.revision, second.revision)
        assert (created.create_revision, updated.create_revision) == (first.revision, first.revision)
        assert deleted.create_revision == 0

    async def test_refused_write_stands_in_nobodys_way(self, backend: Backend) -> None:
        """Of many writes at once, in whatever order, each is told its own outcome; one of two rivals wins."""
        first = await backend.create(A, b"1")
        taken, three, other, four, missing = await asyncio.gather(
            backend.create(A, b"2"), backend.update(A, b"3", first.revision), backend.create(B, b"1"),
            backend.update(A, b"4", first.revision), backend.delete(C),
        )  # fmt: skip
        assert [taken.succeeded, other.succeeded, missing.succeeded] == [False, True, False]
        assert three.succeeded != four.succeeded
        winner, loser = (b"3", four) if three.succeeded else (b"4", three)
        assert loser.current is not None
        assert loser.current.value == winner
        assert [(item.key, item.value) for item in (await backend.range(THINGS)).items] == [(A, winner), (B, b"1")]

    async def test_watch_from_now_skips_the_past(self, backend: Backend) -> None:
        first = await backend.create(A, b"1")
        async with backend.watch(THINGS, first.revision) as watcher:
            await backend.update(A, b"2", first.revision)
            (event,) = await next_events(watcher, 1)
        assert event.value == b"2"

    async def test_many_writers_lose_nothing(self, backend: Backend) -> None:
        """Concurrent increments of one key by compare-and-set: as many steps as were acknowledged."""
        await backend.create(A, b"0")

        async def increment(times: int) -> None:
            for _ in range(times):
                while True:
                    found, _ = await backend.get(A)
                    assert found is not None
                    if (await backend.update(A, str(int(found.value) + 1).encode(), found.revision)).succeeded:
                        break

        async with backend.watch(THINGS, await backend.current_revision()) as watcher:
            async with asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(increment(10))
            events = await next_events(watcher, 80)
        assert [int(event.value or b"") for event in events] == list(range(1, 81))

    async def test_compaction_forgets_the_past_and_keeps_the_present(self, backend: Backend) -> None:
        first = await backend.create(A, b"1")
        second = await backend.update(A, b"2", first.revision)
        await backend.create(B, b"1")
        gone = await backend.delete(B)
        await backend.compact(gone.revision)
        with pytest.raises(CompactedError):
            await backend.range(THINGS, revision=first.revision)
        with pytest.raises(CompactedError):
            async with backend.watch(THINGS, first.revision) as watcher:
                await next_events(watcher, 1)
        page = await backend.range(THINGS)
        assert [(item.key, item.value, item.revision) for item in page.items] == [(A, b"2", second.revision)]
        after = await backend.create(C, b"1")
        assert after.revision == gone.revision + 1
        await backend.compact(gone.revision)
        third = await backend.update(A, b"3", second.revision)
        await backend.delete(C)
        await backend.compact(await backend.current_revision())
        page = await backend.range(THINGS)
        assert [(item.key, item.value, item.revision) for item in page.items] == [(A, b"3", third.revision)]

    async def test_expiry_deletes_the_key(self, backend: Backend) -> None:
        await backend.create(B, b"1", ttl=1000)
        created = await backend.create(A, b"1", ttl=1)
        async with backend.watch(THINGS, created.revision) as watcher:
            (event,) = await next_events(watcher, 1)
        assert (event.key, event.value) == (A, None)
        assert (await backend.get(B))[0] is not None

    async def test_update_prolongs_life(self, backend: Backend) -> None:
        created = await backend.create(A, b"1", ttl=2)
        updated = await backend.update(A, b"2", created.revision, ttl=1000)
        await backend.create(B, b"1", ttl=3)
        async with backend.watch(THINGS, updated.revision + 1) as watcher:
            (event,) = await next_events(watcher, 1)
        assert event.key == B
        assert (await backend.get(A))[0] is not None

    async def test_a_store_takes_room(self, backend: Backend) -> None:
        await backend.create(A, b"1")
        assert await backend.size() > 0

    async def test_values_are_bytes(self, backend: Backend) -> None:
        value = bytes(range(256)) * 4000
        await backend.create(A, value)
        found, _ = await backend.get(A)
        assert found is not None
        assert found.value == value

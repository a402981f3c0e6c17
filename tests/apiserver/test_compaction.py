"""What is older than an interval is forgotten: continued lists are told, and may go on without their snapshot."""

from pathlib import Path

from tests.apiserver.inprocess import server

BASE = "/api/v1/namespaces/default/configmaps"


async def test_the_past_is_forgotten_after_two_intervals(tmp_path: Path) -> None:
    async with server(tmp_path, "--etcd-compaction-interval=5m") as api:
        for name in ("a", "b", "c"):
            await api.post(BASE, {"metadata": {"name": name}})
        token = (await api.get(f"{BASE}?limit=1")).tree["metadata"]["continue"]
        await api.delete(f"{BASE}/c")
        await api.clock.advance(301)
        page = await api.get(f"{BASE}?limit=2&continue={token}")
        assert [item["metadata"]["name"] for item in page.tree["items"]] == ["b", "c"]
        await api.clock.advance(300)
        # The store works in a thread of its own: a read behind the compaction is answered after it.
        await api.post(BASE, {"metadata": {"name": "d"}})
        gone = await api.get(f"{BASE}?limit=2&continue={token}")
        assert (gone.status, gone.tree["reason"]) == (410, "Expired")
        token = gone.tree["metadata"]["continue"]
        page = await api.get(f"{BASE}?limit=2&continue={token}")
        assert [item["metadata"]["name"] for item in page.tree["items"]] == ["b", "d"]

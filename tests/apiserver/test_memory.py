"""A client cannot fill the server's memory with what it asks for."""

import tracemalloc
from pathlib import Path

from tests.apiserver.inprocess import Server, server

LONG, REQUESTS = 50_000, 60


async def ask(api: Server, number: int) -> None:
    """For what is not there, in words that nobody has used before."""
    long = f"{'x' * LONG}{number}"
    headers = {"accept": f"application/json;a={long}", "user-agent": long, "content-type": f"application/json;a={long}"}
    await api.raw("GET", f"/api/v1/namespaces/{long}/configmaps?labelSelector={long}&fieldSelector=metadata.name={long}", headers=headers)  # fmt: skip
    await api.raw("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": long}}, headers=headers)  # fmt: skip
    await api.raw("GET", f"/{long}", token="", headers=headers)


async def test_long_texts_do_not_stay(tmp_path: Path) -> None:
    async with server(tmp_path) as api:
        await ask(api, 0)
        tracemalloc.start()
        try:
            for number in range(1, REQUESTS):
                await ask(api, number)
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert kept < LONG * REQUESTS / 2

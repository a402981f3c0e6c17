"""The etcd backend against a real etcd (Debian's etcd-server): the contract, and its absence told by name."""

import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pybernetes.store.backend import Backend, UnavailableError
from pybernetes.store.etcd import open_store
from pybernetes.store.testsuite import A, Contract


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[str]:
    """A fresh etcd on loopback; its URL."""
    client, peer = free_port(), free_port()
    binary = shutil.which("etcd")
    assert binary, "etcd is missing: make test installs etcd-server"
    urls = [f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"]
    command = [
        binary, f"--data-dir={tmp_path}", "--unsafe-no-fsync", "--log-level=error",
        f"--listen-client-urls={urls[0]}", f"--advertise-client-urls={urls[0]}",
        f"--listen-peer-urls={urls[1]}", f"--initial-advertise-peer-urls={urls[1]}",
        f"--initial-cluster=default={urls[1]}",
    ]  # fmt: skip
    with subprocess.Popen(command) as server:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", client)) == 0:
                    break
            assert server.poll() is None, "etcd has ended"
            assert time.monotonic() < deadline, "etcd does not answer"
            time.sleep(0.02)
        yield f"etcd://127.0.0.1:{client}"
        server.kill()


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

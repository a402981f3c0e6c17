from __future__ import annotations

import os

from tests.runtime.building.conftest import Bench

from pybernetes.cri.building import Exited, Filesystem


async def test_a_process_writes_a_layer(bench: Bench) -> None:
    made, printed = await bench.sh("echo hello; echo there >&2; echo data > /file; rm /etc/group")
    assert isinstance(made, Filesystem)
    assert sorted(printed.split()) == ["hello", "there"]
    assert len(made.layers) == len(bench.base.layers) + 1
    _, printed = await bench.sh("cat /file; ls /etc/group; mount | grep -c resolv.conf; cat /etc/hostname", made)
    assert printed.splitlines() == ["data", "ls: /etc/group: No such file or directory", "1", "buildkitsandbox"]


async def test_nothing_written_is_no_layer(bench: Bench) -> None:
    made, _ = await bench.sh("true")
    assert made == bench.base


async def test_a_failing_process_keeps_nothing(bench: Bench) -> None:
    made, printed = await bench.sh("echo last words; exit 7")
    assert made == Exited(7)
    assert printed == "last words\n"


async def test_copies(bench: Bench) -> None:
    (bench.context / "a.txt").write_text("a")
    (bench.context / "dir").mkdir()
    (bench.context / "dir/b.txt").write_text("b")
    os.symlink("b.txt", bench.context / "dir/link")
    assert (await bench.copied("a.txt", "dir")).split() == [".", "./a.txt", "./b.txt", "./link"]

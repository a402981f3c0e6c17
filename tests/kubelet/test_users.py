"""Ranges of ids for pods with a user namespace."""

from pathlib import Path

import pytest

from pybernetes.cri import types as t
from pybernetes.kubelet.objects import ConfigError
from pybernetes.kubelet.users import LENGTH, check_handler, user_namespace


def first(pods: Path, uid: str) -> int:
    found = user_namespace(pods, uid)
    assert found.uids == found.gids
    assert (found.uids[0].container_id, found.uids[0].length) == (0, LENGTH)
    return found.uids[0].host_id


def test_each_pod_has_its_own_and_keeps_it(tmp_path: Path) -> None:
    ranges = [first(tmp_path, uid) for uid in "abc"]
    assert len(set(ranges)) == 3
    assert [first(tmp_path, uid) for uid in "abc"] == ranges, "a kubelet that starts anew reads the same files"
    assert all(found >= LENGTH and found % LENGTH == 0 for found in ranges), "never the node's own ids"


def test_a_range_is_free_again_with_its_pod(tmp_path: Path) -> None:
    before = first(tmp_path, "a")
    (tmp_path / "a" / "userns").unlink()
    assert first(tmp_path, "b") == before


def test_a_file_that_is_no_range_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "userns").write_text('{"uidMappings": [], "gidMappings": []}')
    with pytest.raises(ConfigError, match="invalid user namespace mappings file"):
        user_namespace(tmp_path, "a")


class _Runtime:
    def __init__(self, *handlers: t.RuntimeHandler) -> None:
        self.handlers = list(handlers)

    async def status(self, verbose: bool = False) -> t.StatusResponse:
        return t.StatusResponse(runtime_handlers=self.handlers)


async def test_a_handler_that_cannot_is_refused_in_upstreams_words() -> None:
    able = t.RuntimeHandlerFeatures(user_namespaces=True)
    runtime = _Runtime(t.RuntimeHandler(name="", features=able), t.RuntimeHandler(name="runc"))
    await check_handler(runtime, "")  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as refused:
        await check_handler(runtime, "runc")  # type: ignore[arg-type]
    assert str(refused.value) == (
        'can\'t set `spec.hostUsers: false`, RuntimeClass handler "runc" does not support user namespaces'
    )
    with pytest.raises(ConfigError, match=r"`, runtime does not support user namespaces$"):
        await check_handler(_Runtime(), "")  # type: ignore[arg-type]

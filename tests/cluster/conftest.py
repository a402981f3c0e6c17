"""Clusters on this machine, one for a test or for a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.live import LiveCluster, live_cluster


@pytest.fixture
def cluster(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """A cluster of the test's own."""
    with live_cluster("test", mirror, tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def shared_cluster(mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """A cluster for all tests of a module, which leave it as they found it."""
    with live_cluster("shared", mirror, tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster

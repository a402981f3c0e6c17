"""What all tests share: which need a live cluster (they come last, one by one), a network, and one registry of images."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from tests.isolation import isolate_network
from tests.live import registry_of_images

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# A shell lets what it runs in the background ignore Ctrl-C; commands that tests interrupt must not inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

LIVE = ("simulated", "cluster", "clients", "labs", "badcases", "golden")
"""The folders with live tests, in their order: clusters that stay to the end of the session start late."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        """0 for what needs no cluster."""
        return LIVE.index(item.path.relative_to(root).parts[0]) + 1 if item.get_closest_marker("live") else 0

    items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def _network() -> None:
    """Each process that runs tests has a network of its own from the start: nothing moves under a server's feet."""
    if os.geteuid() == 0:
        isolate_network()


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a registry that stands for docker.io."""
    with registry_of_images(tmp_path_factory.mktemp("registry")) as url:
        yield url

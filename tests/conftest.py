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

LAST = ("simulated", "cluster", "clients", "labs", "badcases", "golden")
"""Folders whose tests need a whole cluster."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(root).parts[0]
        return LAST.index(folder) + 1 if folder in LAST else 0

    items.sort(key=rank)
    for item in items:
        if rank(item):
            item.add_marker("live")


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

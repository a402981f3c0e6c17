"""What all tests share: the order (pure tests first, live clusters last) and one registry of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live import registry_of_images

LAST = ("simulated", "cluster", "labs", "badcases", "golden")
"""Folders whose tests need a whole cluster."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(root).parts[0]
        return LAST.index(folder) + 1 if folder in LAST else 0

    items.sort(key=rank)


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a registry that stands for docker.io. From here on the process has a network of its own."""
    with registry_of_images(tmp_path_factory.mktemp("registry")) as url:
        yield url

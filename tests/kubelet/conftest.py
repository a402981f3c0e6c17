"""Fixtures of the kubelet's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.mounts import enter_private_mounts

from .world import World, open_world


@pytest.fixture(scope="session", autouse=True)
def _private_mounts() -> None:
    """Volumes mount; nobody else is to see it."""
    enter_private_mounts()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as made:
        yield made

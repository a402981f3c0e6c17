"""Mounts of these tests are seen by nobody else."""

import pytest
from tests.mounts import enter_private_mounts


@pytest.fixture(scope="session", autouse=True)
def private_mounts() -> None:
    enter_private_mounts()

"""What tests of several components share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .parts import Parts


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    parts = Parts(tmp_path)
    yield parts
    for process in parts.running.values():
        process.kill()
        process.wait()

"""What is shown where UTF-8 is not spoken."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from pybernetes.cli.encoding import settle


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", b"`- * ?"),
        ("latin-1", b"`- * ?"),
        ("euc-kr", "└─ * 웹".encode("euc-kr")),
        ("utf-8", "└─ ✨ 웹".encode()),
    ],
)
def test_what_cannot_be_said_is_said_more_plainly(encoding: str, shown: bytes) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    settle(stream)
    stream.write("└─ ✨ 웹")
    stream.flush()
    assert raw.getvalue() == shown


def test_the_command_does_not_fail_for_its_locale() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "pybernetes.cli.main", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60)
    assert b"UnicodeEncodeError" not in done.stderr
    assert b"\n+ rights" in done.stdout

"""Termination messages: what a container left in its file, or the end of its log."""

import os
from collections.abc import Callable
from pathlib import Path

from pybernetes.cri import types as t
from pybernetes.kubelet import names

MAX_FILE_BYTES = 4096
MAX_LOG_LINES = 80
MAX_LOG_BYTES = 2048


def read_message(status: t.ContainerStatus, log_tail: Callable[[Path, int, int], str]) -> str:
    """The message of an exited container; empty if it left none. Blocking.

    `log_tail(path, lines, bytes)` reads the end of a log in CRI format.
    """
    message = _read_file(status.annotations.get(names.TERMINATION_LOG, ""))
    falls_back = status.annotations.get(names.TERMINATION_MESSAGE_POLICY) == "FallbackToLogsOnError"
    if not message and falls_back and status.exit_code != 0 and status.log_path:
        return log_tail(Path(status.log_path), MAX_LOG_LINES, MAX_LOG_BYTES)
    return message


def _read_file(path: str) -> str:
    """The container may have put anything there: only a regular file's beginning is read."""
    if not path:
        return ""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_FILE_BYTES).decode(errors="replace")

"""Log lines: time, level, component, logger, then a constant message with key=value fields."""

import logging
import sys
import time
from typing import TextIO


class Formatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z INFO apiserver watch: dropped slow watcher resource=pods`."""

    def __init__(self, component: str) -> None:
        super().__init__(
            f"%(asctime)s.%(msecs)03dZ %(levelname)s {component} %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
        )

    def converter(self, seconds: float | None = None) -> time.struct_time:
        return time.gmtime(seconds)

    def format(self, record: logging.LogRecord) -> str:
        record.name = record.name.removeprefix("pybernetes.")
        return super().format(record)


def configure(component: str, *, verbosity: int = 0, stream: TextIO | None = None) -> None:
    """Send this process's logs to `stream` (stderr if None): INFO and above, DEBUG from verbosity 4 on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Formatter(component))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbosity >= 4 else logging.INFO)
    for noisy in ("aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

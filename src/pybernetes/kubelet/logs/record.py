"""One line of a log in CRI format: `<time> <stream> <P|F> <text>`."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Record:
    """A part of a line; `text` ends with a newline unless the line goes on in the next record."""

    time: bytes
    stream: bytes
    text: bytes

    @property
    def is_partial(self) -> bool:
        return not self.text.endswith(b"\n")

    @property
    def moment(self) -> datetime:
        """Raises ValueError for a broken time."""
        return datetime.fromisoformat(self.time.decode())


def parse(line: bytes) -> Record | None:
    """A complete line of the file, with its newline; None for what is none of ours."""
    parts = line.split(b" ", 3)
    if len(parts) < 3 or not line.endswith(b"\n"):
        return None
    text = parts[3] if len(parts) == 4 else b"\n"
    if parts[2].split(b":")[0] == b"P":
        text = text[:-1]
    return Record(parts[0], parts[1], text)


def files_of(log: Path) -> list[Path]:
    """The log with its rotated parts, the oldest first. Parts are `<log>.<time>`, perhaps compressed."""
    parts = sorted(p for p in log.parent.glob(f"{log.name}.*") if not p.name.endswith(".tmp"))
    return [*parts, log] if log.exists() else parts

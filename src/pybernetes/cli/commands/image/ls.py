"""p8s image ls"""

from __future__ import annotations

import argparse
import fnmatch
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pybernetes.cli.console import Console

if TYPE_CHECKING:
    from pybernetes.cri.library import ImageRecord

EXAMPLES = """examples:
  sudo p8s image ls
  sudo p8s image ls nginx
  sudo p8s image ls 'registry.example/team/*' -q
  sudo p8s image ls -o json"""

NONE = "<none>"


@dataclass(frozen=True, slots=True)
class Row:
    """A name of an image; `repository` and `tag` are `<none>` where it has none."""

    repository: str
    tag: str
    digest: str
    id: str
    created: str
    size: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pattern", nargs="?", metavar="NAME", help="repository or repository:tag, with wildcards")
    parser.add_argument("-q", "--quiet", action="store_true", help="print ids only")
    parser.add_argument("--no-trunc", action="store_true", help="print ids as a whole")
    parser.add_argument("--digests", action="store_true", help="show digests, too")
    parser.add_argument("-o", "--output", choices=["json"], help="print as JSON")


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli import images
    from pybernetes.cri.door import short

    records = images.ask(arguments, lambda door: door.library.image_records())
    rows = [row for row in rows_of(records) if fits(row, arguments.pattern)]
    if arguments.output == "json":
        console.json(rows)
    elif arguments.quiet:
        for id in dict.fromkeys(row.id for row in rows):
            console.line(id if arguments.no_trunc else short(id))
    else:
        now = datetime.now(UTC)
        cells = []
        for row in rows:
            id = row.id if arguments.no_trunc else short(row.id)
            digest = [row.digest] if arguments.digests else []
            cells.append([row.repository, row.tag, *digest, id, ago(row.created, now), images.size(row.size)])
        digest = ["DIGEST"] if arguments.digests else []
        console.table(["REPOSITORY", "TAG", *digest, "IMAGE ID", "CREATED", "SIZE"], cells)
    return 0


def rows_of(records: list[ImageRecord]) -> list[Row]:
    """One for each tag, the newest image first; an image without a tag has one, too."""
    found = [(_created(record), row) for record in records for row in _rows(record)]
    return [row for _, row in sorted(found, key=lambda pair: (pair[0], pair[1].repository), reverse=True)]


def _rows(record: ImageRecord) -> Iterator[Row]:
    from pybernetes.cri.door import familiar

    digests = dict(digest.split("@", 1) for digest in record.digests)
    created = _created(record)
    for name in record.tags:
        repository, _, tag = name.rpartition(":")
        yield Row(familiar(repository), tag, digests.get(repository, NONE), record.id, created, record.size)
    if not record.tags:
        repository, digest = next(iter(digests.items()), (NONE, NONE))
        yield Row(familiar(repository), NONE, digest, record.id, created, record.size)


def _created(record: ImageRecord) -> str:
    created = json.loads(record.config).get("created")
    return created if isinstance(created, str) else ""


def fits(row: Row, pattern: str | None) -> bool:
    """As docker: `nginx` fits every tag, `nginx:1.*` those, `*/app` any host or user."""
    if pattern is None:
        return True
    full = f"{row.repository}:{row.tag}"
    return fnmatch.fnmatchcase(row.repository, pattern) or fnmatch.fnmatchcase(full, pattern)


def ago(created: str, now: datetime) -> str:
    """`3 days ago`, as docker says it."""
    try:
        then = datetime.fromisoformat(created[:19] + "+00:00")
    except ValueError:
        return "N/A"
    seconds = max(0, int((now - then).total_seconds()))
    for unit, length in (("year", 31536000), ("month", 2592000), ("week", 604800), ("day", 86400), ("hour", 3600)):
        if seconds >= 2 * length or (unit in ("year", "hour") and seconds >= length):
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    if seconds >= 120:
        return f"{seconds // 60} minutes ago"
    return "About a minute ago" if seconds >= 60 else f"{seconds} seconds ago"

"""The log table: each row one committed write, in revision order; what a key holds now is its newest row."""

import fcntl
import os
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from pybernetes.store.backend import CorruptError, Event, KeyValue, UnavailableError

FIRST_REVISION = 1
"""The revision of an empty store. Not 0: a list at resourceVersion "0" means "any" to Kubernetes' clients."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    value BLOB,                         -- NULL: the key was deleted
    create_revision INTEGER NOT NULL,
    previous INTEGER NOT NULL,          -- the revision that this one replaced, 0 for a create
    expires INTEGER NOT NULL,           -- Unix seconds, 0: never
    crc INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS log_key ON log (key, revision);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""

Row: TypeAlias = tuple[int, bytes, bytes | None, int, int, int, int]
COLUMNS = "revision, key, value, create_revision, previous, expires, crc"
MAX_ROWS = 128
"""What `append` takes: SQLite promises no more than 999 parameters in a statement."""


def checksum(key: bytes, value: bytes | None) -> int:
    """Guards a row against bytes flipped on disk, which SQLite itself does not notice inside a value."""
    return zlib.crc32(value or b"", zlib.crc32(key))


def key_value(row: Row) -> KeyValue:
    """The row as a KeyValue; raises CorruptError if its checksum does not match."""
    revision, key, value, create_revision, _, _, crc = row
    if checksum(key, value) != crc:
        raise CorruptError(f"revision {revision} of key {key.decode(errors='replace')}: checksum mismatch")
    return KeyValue(key, value or b"", revision, create_revision)


def prefix_end(prefix: bytes) -> bytes:
    """The first key after every key with this prefix; empty if there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b""


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the durability that the contract promises: WAL, and an fsync per commit."""
    db = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=10, cached_statements=2 * MAX_ROWS
    )
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-4000", "wal_autocheckpoint=4000"):
        db.execute(f"PRAGMA {pragma}")
    return db


def acquire_lock(path: Path) -> int:
    """Hold `<path>.lock` for this process: two writers would give one revision twice. Returns the descriptor."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise UnavailableError(f"{path} is in use by another API server") from error
    return descriptor


def create_tables(db: sqlite3.Connection) -> None:
    db.executescript(SCHEMA)


def last_revision(db: sqlite3.Connection) -> int:
    (newest,) = db.execute("SELECT max(revision) FROM log").fetchone()
    return max(newest or 0, number(db, "last"), FIRST_REVISION)


def number(db: sqlite3.Connection, name: str) -> int:
    """A counter of the meta table: `compacted` (oldest revision that can be read), `last` (survives compaction)."""
    row = db.execute("SELECT number FROM meta WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def set_number(db: sqlite3.Connection, name: str, value: int) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def row_at(db: sqlite3.Connection, revision: int) -> Row | None:
    row: Row | None = db.execute(f"SELECT {COLUMNS} FROM log WHERE revision = ?", (revision,)).fetchone()
    return row


def newest(db: sqlite3.Connection, key: bytes, revision: int) -> Row | None:
    """The key's newest row at or before `revision`, deletes included."""
    row: Row | None = db.execute(
        f"SELECT {COLUMNS} FROM log WHERE key = ? AND revision <= ? ORDER BY revision DESC LIMIT 1", (key, revision)
    ).fetchone()
    return row


def heads(db: sqlite3.Connection) -> Iterator[tuple[bytes, int, int, int]]:
    """(key, revision, create_revision, expires) of every key that exists."""
    return db.execute(
        "SELECT key, revision, create_revision, expires FROM log AS outer WHERE value IS NOT NULL AND revision = "
        "(SELECT max(revision) FROM log WHERE key = outer.key)"
    )


def live(db: sqlite3.Connection, start: bytes, end: bytes, revision: int, limit: int) -> list[Row]:
    """Rows of the keys in [start, end) that existed at `revision`, in key order; at most `limit` if not 0."""
    return db.execute(
        f"SELECT {COLUMNS} FROM log JOIN (SELECT max(revision) AS newest FROM log WHERE key >= ? "
        "AND (? = x'' OR key < ?) AND revision <= ? GROUP BY key) ON revision = newest "
        "WHERE value IS NOT NULL ORDER BY key LIMIT ?",
        (start, end, end, revision, limit or -1),
    ).fetchall()


def count_live(db: sqlite3.Connection, start: bytes, end: bytes, revision: int) -> int:
    (found,) = db.execute(
        "SELECT count(*) FROM log JOIN (SELECT max(revision) AS newest FROM log WHERE key >= ? "
        "AND (? = x'' OR key < ?) AND revision <= ? GROUP BY key) ON revision = newest WHERE value IS NOT NULL",
        (start, end, end, revision),
    ).fetchone()
    return int(found)


def events(db: sqlite3.Connection, prefix: bytes, after: int, upto: int, limit: int) -> list[Event]:
    """Events under `prefix` with revisions in (after, upto], oldest first, at most `limit`."""
    end = prefix_end(prefix)
    rows: list[Row] = db.execute(
        f"SELECT {COLUMNS} FROM log WHERE revision > ? AND revision <= ? AND key >= ? AND (? = x'' OR key < ?) "
        "ORDER BY revision LIMIT ?",
        (after, upto, prefix, end, end, limit),
    ).fetchall()
    return [event(row) for row in rows]


def event(row: Row) -> Event:
    """The row as an event; raises CorruptError."""
    pair = key_value(row)
    return Event(pair.key, row[2], pair.revision, 0 if row[2] is None else pair.create_revision)


def append(db: sqlite3.Connection, rows: list[Row]) -> None:
    """Commit rows, all or none; as many as fit into one statement (`MAX_ROWS`).

    One statement is a transaction by itself. Each further one would give up the interpreter, and on a busy server a
    thread waits long until it has it again.
    """
    places = ",".join(["(?,?,?,?,?,?,?)"] * len(rows))
    db.execute(f"INSERT INTO log ({COLUMNS}) VALUES {places}", [value for row in rows for value in row])


def compact(db: sqlite3.Connection, revision: int) -> None:
    """Drop rows that no read at `revision` or later can see: those of keys that were written since the last time."""
    db.execute("BEGIN IMMEDIATE")
    try:
        before = number(db, "compacted")
        set_number(db, "last", last_revision(db))
        set_number(db, "compacted", revision)
        db.execute(
            "DELETE FROM log WHERE key IN (SELECT key FROM log WHERE revision > ?2 AND revision <= ?1) "
            "AND revision < ?1 AND EXISTS "
            "(SELECT 1 FROM log AS later WHERE later.key = log.key AND later.revision > log.revision "
            "AND later.revision <= ?1)",
            (revision, before),
        )
        db.execute("DELETE FROM log WHERE revision > ?2 AND revision <= ?1 AND value IS NULL", (revision, before))
        db.execute("COMMIT")
    except sqlite3.Error:
        db.execute("ROLLBACK")
        raise

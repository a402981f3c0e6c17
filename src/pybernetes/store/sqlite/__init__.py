"""The embedded backend: one append-only log table in SQLite, one writer thread, group commit."""

from pybernetes.store.sqlite.backend import SQLiteBackend, open_store

__all__ = ["SQLiteBackend", "open_store"]

"""Read what is left of a damaged store: a file cut short still holds every row whose pages are there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.store.schema import APPLICATION_ID
from bench.store.values import TYPES, decode

_BYTES_PER_ROW = 200  # fewer than any row takes; bounds the search where the largest id cannot be read


def is_damaged(connection: sqlite3.Connection) -> bool:
    """Whether SQLite finds the file inconsistent; reads it once."""
    try:
        return connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok"
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return True
        raise


def readable_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Every row that can still be read, looked up one by one by its id; without `output` where only that is gone.

    The file is not changed. Rows still in the write-ahead log beside it are read as well.
    """
    connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA writable_schema = ON")  # or SQLite refuses a file shorter than its header says
        connection.execute("PRAGMA query_only = ON")
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            return
        for id_ in range(1, _largest_id(connection, path) + 1):
            row = _read(connection, id_)
            if row is not None:
                yield row
    finally:
        connection.close()


def _largest_id(connection: sqlite3.Connection, path: Path) -> int:
    try:
        found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
        return int(found[0]) if found else 0
    except sqlite3.DatabaseError:
        return path.stat().st_size // _BYTES_PER_ROW


def _read(connection: sqlite3.Connection, id_: int) -> dict[str, Any] | None:
    for names in (list(TYPES), [name for name in TYPES if name not in ("extra", "output")]):
        try:
            columns = ", ".join(f'"{name}"' for name in names)
            found = connection.execute(f"SELECT {columns} FROM rows WHERE id = ?", (id_,)).fetchone()
            if found is None:
                return None
            row = {name: decode(name, value) for name, value in zip(names, found, strict=True)}
            return row if row["key"] and row["finished"] is not None else None
        except (sqlite3.DatabaseError, ValueError, KeyError):
            continue
    return None

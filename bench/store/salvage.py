"""Read what is left of a damaged store: a file cut short still holds every row whose pages are there."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

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


def readable_rows(path: Path) -> list[dict[str, Any]]:
    """Every row that can still be read, looked up one by one by its id; without `output` where only that is gone.

    A copy is read, so the file is not changed. Rows still in the write-ahead log beside it are read as well.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.salvage-") as folder:
        copy = _copy_whole_pages(path, Path(folder) / "copy.sqlite")
        connection = sqlite3.connect(copy, isolation_level=None)
        try:
            connection.execute("PRAGMA writable_schema = ON")  # or SQLite refuses a file shorter than its header says
            ids = range(1, _largest_id(connection, copy) + 1)
            return [row for row in (_read(connection, id_) for id_ in ids) if row is not None]
        except sqlite3.DatabaseError:
            return []
        finally:
            connection.close()


def _copy_whole_pages(path: Path, to: Path) -> Path:
    """Copy a store and its log, less a last page that was cut: SQLite would read what is missing of it as zeros."""
    shutil.copyfile(path, to)
    with to.open("r+b") as file:
        size = int.from_bytes(file.read(18)[16:18], "big")
        size = 65536 if size == 1 else size  # as SQLite's file format has it
        if size:
            file.truncate(to.stat().st_size // size * size)
    log = Path(f"{path}-wal")
    if log.exists():
        shutil.copyfile(log, f"{to}-wal")
    return to


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

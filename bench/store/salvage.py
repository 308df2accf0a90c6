"""Save what is left of a damaged store: a file cut short still holds every row whose pages are there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.store.errors import StoreError
from bench.store.values import TYPES, decode, decode_as
from bench.train.columns import POINT_TYPES, RUN_TYPES

_BYTES_PER_ROW = 200  # fewer than any row takes; bounds the search where the largest id cannot be read


@dataclass
class Salvaged:
    """What could be read."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    replaced: list[dict[str, Any]] = field(default_factory=list)
    trained: list[tuple[dict[str, Any], list[dict[str, Any]], tuple[int, bytes] | None]] = field(default_factory=list)


def is_damaged(connection: sqlite3.Connection) -> bool:
    """Whether SQLite finds the file inconsistent; reads it once."""
    try:
        return connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok"
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return True
        raise


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep a second process from saving the same file at the same time; one that was killed at it does not count.

    Raises:
        StoreError: another process is at it.
    """
    mark = Path(f"{path}.recovering")
    try:
        if mark.exists() and not _alive(mark.read_text()):
            mark.unlink(missing_ok=True)
        with mark.open("x") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        raise StoreError(
            f"store {path}: damaged, and another process is saving it; run again when it is done"
        ) from None
    except OSError as error:
        raise StoreError(f"store {path}: damaged, and its folder cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def _alive(pid: str) -> bool:
    import psutil

    return pid.isdigit() and psutil.pid_exists(int(pid))


def read(path: Path) -> Salvaged:
    """Everything that can still be read, looked up one by one by its id; rows without `output` where only that is gone.

    A copy is read, so the file is not changed. Rows still in the write-ahead log beside it are read as well.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.salvage-") as folder:
        copy = _copy_whole_pages(path, Path(folder) / "copy.sqlite")
        connection = sqlite3.connect(copy, isolation_level=None)
        try:
            connection.execute("PRAGMA writable_schema = ON")  # or SQLite refuses a file shorter than its header says
            ids = range(1, _largest_id(connection, copy) + 1)
            rows = [row for row in (_row(connection, id_) for id_ in ids) if row is not None]
            return Salvaged(rows, list(_runs(connection)), list(_replaced(connection)), _trained(connection))
        except sqlite3.DatabaseError:
            return Salvaged()
        finally:
            connection.close()


def put_in_place(fresh: Path, path: Path) -> Path:
    """Put a new store where the damaged one is, and return where that is kept."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("-wal", "-shm"):
        if Path(f"{path}{suffix}").exists():
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")  # a log of the old file would be played into the new one
    try:
        os.link(path, aside)  # so that at every moment there is a file under both names
    except OSError:
        shutil.copyfile(path, aside)
    os.replace(fresh, path)
    return aside


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


def _row(connection: sqlite3.Connection, id_: int) -> dict[str, Any] | None:
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


def _runs(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    names = ("id", "title", "command", "started", "machine", "commit", "seeds")
    with contextlib.suppress(sqlite3.DatabaseError, ValueError):
        for run in connection.execute("SELECT id, title, command, started, machine, commit_id, seeds FROM runs"):
            yield {**dict(zip(names, run, strict=True)), "seeds": json.loads(run[-1])}


def _replaced(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    with contextlib.suppress(sqlite3.DatabaseError, ValueError):
        for (row,) in connection.execute("SELECT row FROM replaced ORDER BY id"):
            yield json.loads(row)


def _trained(
    connection: sqlite3.Connection,
) -> list[tuple[dict[str, Any], list[dict[str, Any]], tuple[int, bytes] | None]]:
    """Training runs, each with the evaluations and the state that can still be read."""
    points: dict[str, list[dict[str, Any]]] = {}
    for point in _by_id(connection, "training_points", POINT_TYPES):
        points.setdefault(point["key"], []).append(point)
    found = []
    for run in _by_id(connection, "training_runs", RUN_TYPES):
        state = None
        with contextlib.suppress(sqlite3.DatabaseError):
            command = "SELECT place, bundle FROM training_states WHERE key = ?"
            state = connection.execute(command, (run["key"],)).fetchone()
        found.append((run, points.get(run["key"], []), state))
    return found


def _by_id(connection: sqlite3.Connection, table: str, types: Mapping[str, type]) -> Iterator[dict[str, Any]]:
    """The rows of a table that can be read, looked up one by one."""
    try:
        last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    except sqlite3.DatabaseError:
        return
    columns = ", ".join(f'"{name}"' for name in types)
    for id_ in range(1, int(last[0]) + 1 if last else 1):
        with contextlib.suppress(sqlite3.DatabaseError, ValueError):
            row = connection.execute(f"SELECT {columns} FROM {table} WHERE id = ?", (id_,)).fetchone()
            if row is not None:
                yield {n: decode_as(kind, value) for (n, kind), value in zip(types.items(), row, strict=True)}

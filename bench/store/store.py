"""`Store`: one SQLite file, one row per point, committed one by one."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bench.store import errors, journal, salvage, schema
from bench.store.errors import StoreError, clear_errors
from bench.store.values import TYPES, decode, encode_row

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_PATH = Path("results/bench.sqlite")

_SELECT = "SELECT " + ", ".join(f'"{name}"' for name in TYPES) + " FROM rows"
_INSERT = (
    "INSERT INTO rows (" + ", ".join(f'"{n}"' for n in TYPES) + ") VALUES (" + ", ".join(f":{n}" for n in TYPES) + ")"
)
_UPDATE = "UPDATE rows SET " + ", ".join(f'"{n}" = :{n}' for n in TYPES) + " WHERE key = :key"
_INSERT_RUN = "INSERT INTO runs (title, command, started, machine, commit_id, seeds) VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_REPLACED = "INSERT INTO replaced (key, replaced_at, row) VALUES (?, ?, ?)"
_PAGE = 5000  # rows read at once


class Store:
    """The rows measured so far.

    Every row is one transaction, synced to disk before `put` returns, so a kill at any moment loses at most the row
    being written. Two processes may write to one store: the first finished row of a key stays, the other is dropped.
    A file cut short or otherwise damaged is set aside on opening, and what can be read of it is carried over.

    Args:
        path: the file; created, with its folders, unless ``must_exist``.
        must_exist: refuse a path where there is no store yet, for verbs that only read.

    Attributes:
        recovered: one line on what was saved from a damaged file when this store was opened, else None.

    Raises:
        StoreError: not a store of ours, of another version, locked, unreadable, or not there.
    """

    def __init__(self, path: str | Path = DEFAULT_PATH, *, must_exist: bool = False) -> None:
        self.path = Path(path)
        self.recovered: str | None = None
        self.run: int | None = None
        self._check_file(must_exist)
        with clear_errors(self.path):
            self._connection = self._connect()
            try:
                damaged = salvage.is_damaged(self._connection)
                if not damaged:
                    self._prepare()
            except BaseException:
                self._connection.close()
                raise
        if damaged:
            self._connection.close()
            self._recover()

    def _check_file(self, must_exist: bool) -> None:
        if self.path.is_dir():
            raise StoreError(f"store {self.path}: a folder; give the path of a file in it")
        if not self.path.exists():
            if must_exist:
                raise StoreError(f"store {self.path}: there is no such file; `python -m bench run SWEEP` makes one")
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"store {self.path}: its folder cannot be made: {error.strerror}") from None
            return
        try:
            with self.path.open("rb") as file:
                start = file.read(16)
        except OSError as error:
            raise StoreError(f"store {self.path}: cannot be read: {error.strerror}") from None
        if start and start != b"SQLite format 3\0":
            raise StoreError(f"store {self.path}: not an SQLite file; give another path")

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=errors.BUSY_SECONDS, isolation_level=None)

    def _prepare(self) -> None:
        schema.version_of(self._connection, self.path)  # refuses a foreign file before anything in it is changed
        journal.choose(self._connection, self.path)
        self._connection.execute("PRAGMA synchronous = FULL")  # a row takes a second to measure, a sync milliseconds
        schema.prepare(self._connection, self.path)

    def _recover(self) -> None:
        """Set a damaged file aside, under another name, and carry over what can be read.

        Raises:
            StoreError: it is not known to be ours.
        """
        if not schema.header_is_ours(self.path):
            raise StoreError(f"store {self.path}: damaged, and not known to be a store of ours; give another path")
        try:
            rows = salvage.readable_rows(self.path)
        except OSError as error:
            raise StoreError(f"store {self.path}: damaged, and cannot be copied to save it: {error.strerror}") from None
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        aside = self.path.with_name(f"{self.path.name}.damaged-{stamp}")
        for suffix in ("", "-wal", "-shm"):
            source = Path(f"{self.path}{suffix}")
            if source.exists():
                os.replace(source, f"{aside}{suffix}")
        with clear_errors(self.path):
            self._connection = self._connect()
            self._prepare()
        for row in rows:
            self.put({k: v for k, v in row.items() if k != "finished"}, finished=row["finished"])
        self.recovered = (
            f"store {self.path} was damaged: {len(rows)} rows could be read and are kept; the rest will be measured "
            f"again; the damaged file is {aside}"
        )

    def begin_run(
        self, title: str, command: str, machine: str = "", commit: str = "", seeds: Iterable[int] = ()
    ) -> int:
        """Note that a run begins; rows put from now on carry its number."""
        started = datetime.now(UTC).isoformat()
        facts = {"title": title, "command": command, "started": started, "machine": machine, "commit": commit}
        self.run = self.add_run({**facts, "seeds": sorted(set(seeds))})
        return self.run

    def add_run(self, run: Mapping[str, Any]) -> int:
        """Note a run as `runs` gives it, and return its number here."""
        values = [run[name] for name in ("title", "command", "started", "machine", "commit")]
        with clear_errors(self.path):
            cursor = self._connection.execute(_INSERT_RUN, (*values, json.dumps(run["seeds"])))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def runs(self) -> list[dict[str, Any]]:
        """The runs that wrote to this store, oldest first: title, command, started, machine, commit, seeds."""
        names = ("id", "title", "command", "started", "machine", "commit", "seeds")
        with clear_errors(self.path):
            found = self._connection.execute("SELECT id, title, command, started, machine, commit_id, seeds FROM runs")
            return [{**dict(zip(names, run, strict=True)), "seeds": json.loads(run[-1])} for run in found]

    def put(self, row: Mapping[str, Any], finished: bool = True, *, replace: bool = False) -> bool:
        """Write one row, durably.

        A row of the same key is replaced while it is not finished. A finished one stays, unless ``replace`` (retries),
        and then it is kept in the table ``replaced``.

        Returns:
            Whether the row was written.

        Raises:
            StoreError: a column or value that is not allowed; a full disk; a locked file.
        """
        return self.put_many([(row, finished)], replace=replace) == 1

    def put_many(self, rows: Iterable[tuple[Mapping[str, Any], bool]], *, replace: bool = False) -> int:
        """Write several (row, finished) in one transaction, as `put` does; all of them or none.

        Returns:
            How many were written.
        """
        encoded = [encode_row({"run": self.run, **row, "finished": finished}) for row, finished in rows]
        for row in encoded:
            if not row["key"] or (row["finished"] and not row["outcome"]):
                raise StoreError("a row needs a key, and a finished one an outcome")
        with clear_errors(self.path), self._transaction():
            return sum(self._put_encoded(row, replace) for row in encoded)

    def _put_encoded(self, row: dict[str, Any], replace: bool) -> bool:
        there = self._connection.execute("SELECT finished FROM rows WHERE key = ?", (row["key"],)).fetchone()
        if there is None:
            self._connection.execute(_INSERT, row)
            return True
        if there[0] and not replace:
            return False
        if there[0]:
            old = self._connection.execute(_SELECT + " WHERE key = ?", (row["key"],)).fetchone()
            self._connection.execute(_INSERT_REPLACED, _aside(_decoded(old)))
        self._connection.execute(_UPDATE, row)
        return True

    def put_aside(self, row: Mapping[str, Any]) -> None:
        """Keep a row that must not take the place of the one there, in the table ``replaced``; the same one once."""
        key, at, text = _aside({"finished": True, **row})
        with clear_errors(self.path), self._transaction():
            if not self._connection.execute("SELECT 1 FROM replaced WHERE key = ? AND row = ?", (key, text)).fetchone():
                self._connection.execute(_INSERT_REPLACED, (key, at, text))

    def replaced(self) -> list[dict[str, Any]]:
        """Rows that retries and merges put aside, oldest first."""
        with clear_errors(self.path):
            return [json.loads(row) for (row,) in self._connection.execute("SELECT row FROM replaced ORDER BY id")]

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection)

    def finished_keys(self) -> set[str]:
        """The keys of all finished rows."""
        with clear_errors(self.path):
            return {key for (key,) in self._connection.execute("SELECT key FROM rows WHERE finished = 1")}

    def keys_of(self, outcomes: Iterable[str]) -> set[str]:
        """The keys of the finished rows with one of these outcomes, for retries."""
        chosen = set(outcomes)
        with clear_errors(self.path):
            found = self._connection.execute("SELECT key, outcome FROM rows WHERE finished = 1")
            return {key for key, outcome in found if outcome in chosen}

    def get(self, key: str) -> dict[str, Any] | None:
        """The row of this key, finished or not."""
        with clear_errors(self.path):
            found = self._connection.execute(_SELECT + " WHERE key = ?", (key,)).fetchone()
        return None if found is None else _decoded(found)

    def unfinished(self) -> list[dict[str, Any]]:
        """The rows begun but not finished."""
        return [row for row in self._where("finished = 0")]

    def rows(self, finished_only: bool = False) -> Iterator[dict[str, Any]]:
        """All rows in the order they were first written, as Python values; memory does not grow with their number."""
        return self._where("finished = 1" if finished_only else "1")

    def _where(self, condition: str) -> Iterator[dict[str, Any]]:
        for block in self._blocks(condition):
            yield from map(_decoded, block)

    def blocks(self, finished_only: bool = False) -> Iterator[list[tuple[Any, ...]]]:
        """All rows as SQLite keeps them (JSON as text, truth as 0 and 1), some thousand at a time."""
        return self._blocks("finished = 1" if finished_only else "1")

    def _blocks(self, condition: str) -> Iterator[list[tuple[Any, ...]]]:
        last = 0
        while True:
            with clear_errors(self.path):
                block = self._connection.execute(
                    f"SELECT id, {_SELECT[7:]} WHERE id > ? AND {condition} ORDER BY id LIMIT {_PAGE}", (last,)
                ).fetchall()
            if not block:
                return
            last = block[-1][0]
            yield [row[1:] for row in block]

    def frame(self, finished_only: bool = True) -> pd.DataFrame:
        """The rows as a table, columns in order, with types that can be empty; options and samples as Python values."""
        from bench.store.frame import frame

        return frame(self.blocks(finished_only))

    def outcomes(self) -> Counter[str]:
        """How many finished rows ended in each outcome."""
        with clear_errors(self.path):
            found = self._connection.execute("SELECT outcome, count(*) FROM rows WHERE finished = 1 GROUP BY outcome")
            return Counter(dict(found.fetchall()))

    def __len__(self) -> int:
        with clear_errors(self.path):
            return int(self._connection.execute("SELECT count(*) FROM rows").fetchone()[0])

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Transaction:
    """One write transaction; rolled back when its body or its commit fails."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.connection.execute("COMMIT")
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")


def _aside(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["key"], datetime.now(UTC).isoformat(), json.dumps({name: row.get(name) for name in TYPES})


def _decoded(values: tuple[Any, ...]) -> dict[str, Any]:
    return {name: decode(name, value) for name, value in zip(TYPES, values, strict=True)}

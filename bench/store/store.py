"""`Store`: one SQLite file, one row per point, committed one by one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.store import errors, journal, salvage, schema
from bench.store.errors import StoreError, clear_errors
from bench.store.reading import NAMES, Reader, decoded
from bench.store.training import Training
from bench.store.transaction import Transaction
from bench.store.values import TYPES, encode_row

DEFAULT_PATH = Path("results/bench.sqlite")

_INSERT = f"INSERT INTO rows ({NAMES}) VALUES (" + ", ".join(f":{name}" for name in TYPES) + ")"
_UPDATE = "UPDATE rows SET " + ", ".join(f'"{name}" = :{name}' for name in TYPES) + " WHERE key = :key"
_INSERT_RUN = "INSERT INTO runs (title, command, started, machine, commit_id, seeds) VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_REPLACED = "INSERT INTO replaced (key, replaced_at, row) VALUES (?, ?, ?)"


class Store(Reader, Training):
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
        _check_file(self.path, must_exist)
        if self._open() == "damaged":
            with salvage.alone(self.path):
                self._recover()
            self._open()

    def _open(self) -> str:
        with clear_errors(self.path):
            self._connection = sqlite3.connect(self.path, timeout=errors.BUSY_SECONDS, isolation_level=None)
            try:
                if salvage.is_damaged(self._connection):
                    self._connection.close()
                    return "damaged"
                schema.version_of(self._connection, self.path)  # refuses a foreign file before anything in it changes
                journal.choose(self._connection, self.path)
                self._connection.execute("PRAGMA synchronous = FULL")  # milliseconds, for a row that took a second
                schema.prepare(self._connection, self.path)
                return "open"
            except BaseException:
                self._connection.close()
                raise

    def _recover(self) -> None:
        """Carry what can be read of a damaged file over to a new one, complete before it takes the old one's place.

        Raises:
            StoreError: it is not known to be ours, or there is no room.
        """
        if not schema.header_is_ours(self.path):
            raise StoreError(f"store {self.path}: damaged, and not known to be a store of ours; give another path")
        fresh = self.path.with_name(f".{self.path.name}.recovered")
        try:
            fresh.unlink(missing_ok=True)
            left = salvage.read(self.path)
            with Store(fresh) as new:
                numbers = {run["id"]: new.add_run(run) for run in left.runs}
                rows = [({**row, "run": numbers.get(row["run"])}, row["finished"]) for row in left.rows]
                kept = new.put_many(({k: v for k, v in row.items() if k != "finished"}, f) for row, f in rows)
                for row in left.replaced:
                    new.put_aside(row)
                for run, points, state in left.trained:
                    new.put_trained(run, points, state)
            aside = salvage.put_in_place(fresh, self.path)
        except OSError as error:
            raise StoreError(f"store {self.path}: damaged, and cannot be copied to save it: {error.strerror}") from None
        self.recovered = (
            f"store {self.path} was damaged: {kept} rows could be read and are kept; the rest will be measured "
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

    @contextmanager
    def together(self) -> Iterator[None]:
        """All writes inside are one transaction, synced to disk once, at its end; all of them or none."""
        with clear_errors(self.path), Transaction(self._connection):
            yield

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
        with clear_errors(self.path), Transaction(self._connection):
            return sum(self._put_encoded(row, replace) for row in encoded)

    def _put_encoded(self, row: dict[str, Any], replace: bool) -> bool:
        there = self._connection.execute(f"SELECT {NAMES} FROM rows WHERE key = ?", (row["key"],)).fetchone()
        if there is None:
            self._connection.execute(_INSERT, row)
            return True
        old = decoded(there)
        if old["finished"] and not replace:
            return False
        if old["finished"]:
            self._connection.execute(_INSERT_REPLACED, _aside(old))
        self._connection.execute(_UPDATE, row)
        return True

    def put_aside(self, row: Mapping[str, Any]) -> None:
        """Keep a row that must not take the place of the one there, in the table ``replaced``; the same one once."""
        key, at, text = _aside({"finished": True, **row})
        with clear_errors(self.path), Transaction(self._connection):
            if not self._connection.execute("SELECT 1 FROM replaced WHERE key = ? AND row = ?", (key, text)).fetchone():
                self._connection.execute(_INSERT_REPLACED, (key, at, text))

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _aside(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["key"], datetime.now(UTC).isoformat(), json.dumps({name: row.get(name) for name in TYPES})


def _check_file(path: Path, must_exist: bool) -> None:
    """Refuse what cannot be a store, before SQLite opens it; make the folders of a new one."""
    if path.is_dir():
        raise StoreError(f"store {path}: a folder; give the path of a file in it")
    if not path.exists():
        if must_exist:
            raise StoreError(f"store {path}: there is no such file; `python -m bench run SWEEP` makes one")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"store {path}: its folder cannot be made: {error.strerror}") from None
        return
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise StoreError(f"store {path}: cannot be read: {error.strerror}") from None
    if start and start != b"SQLite format 3\0":
        raise StoreError(f"store {path}: not an SQLite file; give another path")

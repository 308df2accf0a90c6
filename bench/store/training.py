"""Training runs in a store: a run, its evaluations and its last state are committed together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.store.errors import StoreError, clear_errors
from bench.store.transaction import Transaction
from bench.store.values import decode_as, encode_as
from bench.train.columns import POINT_TYPES, RUN_TYPES

Row = Mapping[str, Any]
State = tuple[int, bytes]  # of which evaluation, and the arrays as an .npz file's bytes
ASIDE = "#"  # in the key of a run that another one has replaced


class Training:
    """What an open store can be asked, and told, of training runs."""

    path: Path
    _connection: sqlite3.Connection

    def training_runs(self) -> Iterator[dict[str, Any]]:
        """All runs, also those under way and those set aside, in the order they began."""
        yield from self._read("training_runs", RUN_TYPES, "1")

    def training_run(self, key: str) -> dict[str, Any] | None:
        """The run of this key."""
        return next(self._read("training_runs", RUN_TYPES, "key = ?", key), None)

    def training_points(self, key: str | None = None) -> Iterator[dict[str, Any]]:
        """The evaluations of one run, or of all."""
        yield from self._read(
            "training_points", POINT_TYPES, "1" if key is None else "key = ?", *([key] if key else [])
        )

    def training_state(self, key: str) -> State | None:
        """The last state of a run: of which evaluation, and its arrays as an .npz file's bytes."""
        with clear_errors(self.path):
            found = self._connection.execute("SELECT place, bundle FROM training_states WHERE key = ?", (key,))
            return found.fetchone()

    def put_training(self, run: Row, point: Row | None = None, bundle: bytes | None = None) -> None:
        """Write a run as it now is, with a new evaluation and the state after it, in one transaction.

        Raises:
            StoreError: a column or value that is not allowed, a finished run without an outcome, or a store that cannot
                be written.
        """
        if not run.get("key") or (run.get("finished") and not run.get("outcome")):
            raise StoreError("a training run needs a key, and a finished one an outcome")
        encoded = _encoded(RUN_TYPES, {"finished": False, **run})
        with clear_errors(self.path), Transaction(self._connection):
            self._put("training_runs", encoded, "key")
            if point is not None:
                self._put("training_points", _encoded(POINT_TYPES, {**point, "key": run["key"]}), "key, place")
            if bundle is not None:
                place = point["place"] if point is not None else -1
                self._put_state(run["key"], place, bundle)

    def put_trained(self, run: Row, points: Iterable[Row], state: State | None) -> bool:
        """Write a whole run of another store: one that is not there, or only begun there; a second one is set aside.

        Returns:
            Whether there was something to write.
        """
        key = run["key"].partition(ASIDE)[0]
        there = {other["key"]: other for other in self._read("training_runs", RUN_TYPES, *_of(key))}
        if any(_same(other, run) for other in there.values()):
            return False
        if key in there and there[key]["finished"]:
            if not run["finished"]:
                return False
            key = self._free_key(key)
        elif ASIDE in run["key"]:
            key = self._free_key(key)
        with clear_errors(self.path), Transaction(self._connection):
            for table in ("training_points", "training_states"):
                self._connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,))
            self._put("training_runs", _encoded(RUN_TYPES, {**run, "key": key}), "key")
            for point in points:
                self._put("training_points", _encoded(POINT_TYPES, {**point, "key": key}), "key, place")
            if state is not None:
                self._put_state(key, *state)
        return True

    def set_training_aside(self, key: str) -> None:
        """Make room for a run to be made again: the one there, with all it measured, stays under another key."""
        aside = self._free_key(key.partition(ASIDE)[0])
        with clear_errors(self.path), Transaction(self._connection):
            for table in ("training_runs", "training_points", "training_states"):
                self._connection.execute(f"UPDATE {table} SET key = ? WHERE key = ?", (aside, key))

    def _free_key(self, key: str) -> str:
        number = 1
        while self.training_run(f"{key}{ASIDE}{number}") is not None:
            number += 1
        return f"{key}{ASIDE}{number}"

    def _put(self, table: str, encoded: Mapping[str, Any], unique: str) -> None:
        names = ", ".join(f'"{name}"' for name in encoded)
        values = ", ".join(f":{name}" for name in encoded)
        updates = ", ".join(f'"{name}" = excluded."{name}"' for name in encoded)
        command = f"INSERT INTO {table} ({names}) VALUES ({values}) ON CONFLICT ({unique}) DO UPDATE SET {updates}"
        self._connection.execute(command, encoded)

    def _put_state(self, key: str, place: int, bundle: bytes) -> None:
        command = (
            "INSERT INTO training_states (key, place, bundle) VALUES (?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET place = excluded.place, bundle = excluded.bundle"
        )
        self._connection.execute(command, (key, place, bundle))

    def _read(self, table: str, types: Mapping[str, type], condition: str, *values: Any) -> Iterator[dict[str, Any]]:
        names = ", ".join(f'"{name}"' for name in types)
        order = "id" if table == "training_runs" else "key, place"
        with clear_errors(self.path):
            found = self._connection.execute(f"SELECT {names} FROM {table} WHERE {condition} ORDER BY {order}", values)
            rows = found.fetchall()
        for row in rows:
            yield {name: decode_as(kind, value) for (name, kind), value in zip(types.items(), row, strict=True)}


def _encoded(types: Mapping[str, type], row: Row) -> dict[str, Any]:
    unknown = set(row) - set(types)
    if unknown:
        raise StoreError(f"a training row has an unknown column {', '.join(sorted(unknown))}")
    return {name: encode_as(kind, name, row.get(name)) for name, kind in types.items()}


def _of(key: str) -> tuple[str, str, str, str]:
    """The condition for the runs of a key, those set aside among them."""
    return "key = ? OR substr(key, 1, length(?)) = ?", key, key + ASIDE, key + ASIDE


def _same(a: Row, b: Row) -> bool:
    return all(a[name] == b[name] for name in ("started_at", "outcome", "steps", "train_s"))

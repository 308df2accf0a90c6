"""Reading a store: keys, rows one by one or as a table, runs."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.store.errors import clear_errors
from bench.store.values import TYPES, decode

if TYPE_CHECKING:
    import pandas as pd

ENDING = ("key", "outcome", "reason", "estimator", "dim", "depth", "order")
NAMES = ", ".join(f'"{name}"' for name in TYPES)
_PAGE = 5000  # rows read at once
_FINISHED = "+finished = 1"  # the plus keeps SQLite off the index, with which it would sort all rows for every page


class Reader:
    """What can be asked of an open store."""

    path: Path
    _connection: sqlite3.Connection

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
            found = self._connection.execute(f"SELECT {NAMES} FROM rows WHERE key = ?", (key,)).fetchone()
        return None if found is None else decoded(found)

    def unfinished(self) -> list[dict[str, Any]]:
        """The rows begun but not finished."""
        return list(self._where("finished = 0"))

    def rows(self, finished_only: bool = False) -> Iterator[dict[str, Any]]:
        """All rows in the order they were first written, as Python values; memory does not grow with their number."""
        return self._where(_FINISHED if finished_only else "1")

    def endings(self) -> Iterator[dict[str, Any]]:
        """How each finished row ended, and the little that names it; its measurements are not decoded."""
        return self._where(_FINISHED, ENDING)

    def matching(self, at: Mapping[str, str | int]) -> list[dict[str, Any]]:
        """The finished rows whose columns have these values; only they are decoded."""
        unknown = set(at) - set(TYPES)
        if unknown:
            raise ValueError(f"no column called {', '.join(sorted(unknown))}")
        condition = " AND ".join(["finished = 1", *(f'"{name}" = ?' for name in at)])
        with clear_errors(self.path):
            command = f"SELECT {NAMES} FROM rows WHERE {condition} ORDER BY id"
            return [decoded(row) for row in self._connection.execute(command, tuple(at.values()))]

    def blocks(self, finished_only: bool = False) -> Iterator[list[tuple[Any, ...]]]:
        """All rows as SQLite keeps them (JSON as text, truth as 0 and 1), some thousand at a time."""
        return self._blocks(_FINISHED if finished_only else "1", TYPES)

    def frame(self, finished_only: bool = True) -> pd.DataFrame:
        """The rows as a table, columns in order, with types that can be empty; options and samples as Python values."""
        from bench.store.frame import frame

        return frame(self.blocks(finished_only))

    def outcomes(self) -> Counter[str]:
        """How many finished rows ended in each outcome."""
        with clear_errors(self.path):
            found = self._connection.execute("SELECT outcome, count(*) FROM rows WHERE finished = 1 GROUP BY outcome")
            return Counter(dict(found.fetchall()))

    def runs(self) -> list[dict[str, Any]]:
        """The runs that wrote to this store, oldest first: title, command, started, machine, commit, seeds."""
        names = ("id", "title", "command", "started", "machine", "commit", "seeds")
        with clear_errors(self.path):
            found = self._connection.execute("SELECT id, title, command, started, machine, commit_id, seeds FROM runs")
            return [{**dict(zip(names, run, strict=True)), "seeds": json.loads(run[-1])} for run in found]

    def replaced(self) -> list[dict[str, Any]]:
        """Rows that retries and merges put aside, oldest first."""
        with clear_errors(self.path):
            return [json.loads(row) for (row,) in self._connection.execute("SELECT row FROM replaced ORDER BY id")]

    def __len__(self) -> int:
        with clear_errors(self.path):
            return int(self._connection.execute("SELECT count(*) FROM rows").fetchone()[0])

    def _where(self, condition: str, names: Collection[str] = TYPES) -> Iterator[dict[str, Any]]:
        for block in self._blocks(condition, names):
            for row in block:
                yield decoded(row, names)

    def _blocks(self, condition: str, names: Collection[str]) -> Iterator[list[tuple[Any, ...]]]:
        last, columns = 0, ", ".join(f'"{name}"' for name in names)
        while True:
            with clear_errors(self.path):
                block = self._connection.execute(
                    f"SELECT id, {columns} FROM rows WHERE id > ? AND {condition} ORDER BY id LIMIT {_PAGE}", (last,)
                ).fetchall()
            if not block:
                return
            last = block[-1][0]
            yield [row[1:] for row in block]


def decoded(values: tuple[Any, ...], names: Collection[str] = TYPES) -> dict[str, Any]:
    """The Python values of a row's columns, from SQLite's."""
    return {name: decode(name, value) for name, value in zip(names, values, strict=True)}

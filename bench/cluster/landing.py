"""Rows that came from workers: what came together is committed together, and only then counted and told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.measure import Row
from bench.runner import Plan, Watcher
from bench.store import Store


@dataclass
class Landing:
    """The way of rows into the store: one transaction, synced to disk once, for all that were added since the last.

    Attributes:
        outcomes: how many points of this run ended in each outcome; committed ones alone.
    """

    plan: Plan
    store: Store
    watcher: Watcher
    outcomes: Counter[str] = field(default_factory=Counter)
    waiting: list[tuple[Row, bool]] = field(default_factory=list)

    def add(self, row: Row, finished: bool = True) -> None:
        """Take a row; it is not on disk before `commit`."""
        self.waiting.append((row, finished))

    def commit(self) -> None:
        """Write what was added since the last time, all of it or none; a failure keeps it for another try."""
        if not self.waiting:
            return
        retried = self.plan.retried
        with self.store.together():
            for again in (False, True):
                self.store.put_many(((r, f) for r, f in self.waiting if (r["key"] in retried) is again), replace=again)
        landed, self.waiting = self.waiting, []
        for row, finished in landed:
            self._tell(row, finished)

    def _tell(self, row: Row, finished: bool) -> None:
        if finished:
            self.outcomes[row["outcome"]] += 1
            self.watcher.on_row(row)
        else:
            self.watcher.on_solo(row)

    def skips(self, rows: Iterable[Row]) -> None:
        """Write rows that nobody measures."""
        for row in rows:
            self.add({**row, "outcome": "skipped", "duration_s": 0.0})
        self.commit()

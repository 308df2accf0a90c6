"""Rows that came from workers: what came together is committed together, and only then counted and told of."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field

from bench.measure import Bench, Row
from bench.point import Point
from bench.runner import Plan, Watcher
from bench.store import Store, StoreError


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

    def __post_init__(self) -> None:
        self._bench = Bench()  # for the identity of rows alone: it starts no process

    def add(self, row: Row, finished: bool = True) -> None:
        """Take a row; it is not on disk before `commit`."""
        self.waiting.append((row, finished))

    def commit(self) -> None:
        """Write what was added since the last time.

        Raises:
            StoreError: the store does not take it; of all rows those that it takes by themselves are written.
        """
        landed, self.waiting = self.waiting, []
        try:
            with self.store.together() if landed else nullcontext():
                for row, finished in landed:
                    self._put(row, finished)
        except StoreError:
            for row, finished in landed:
                with suppress(StoreError):
                    self._put(row, finished)
            raise
        for row, finished in landed:
            self._tell(row, finished)

    def _put(self, row: Row, finished: bool) -> None:
        self.store.put(row, finished=finished, replace=row["key"] in self.plan.retried)

    def _tell(self, row: Row, finished: bool) -> None:
        if finished:
            self.outcomes[row["outcome"]] += 1
            self.watcher.on_row(row)
        else:
            self.watcher.on_solo(row)

    def unmeasured(
        self, point: Point, name: str, machine: str, outcome: str, reason: str, duration_s: float = 0.0
    ) -> None:
        """Take a row of a point that nobody measured, or whose measuring nobody survived."""
        ending = {"outcome": outcome, "reason": reason, "duration_s": duration_s}
        self.add({**self._bench.identity(point), "key": name, "machine": machine, **ending})

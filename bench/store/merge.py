"""Rows of several machines or shards into one store, by key; where two differ, both are kept and shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from bench.store.store import Store

AT_ONCE = 1000  # rows in one transaction: merging again costs nothing, so a kill may cost as many
# What says when and by whom a row was written, not what was measured.
_CIRCUMSTANCES = frozenset({"run", "started_at", "duration_s", "round_group", "machine", "commit", "output", "extra"})


@dataclass(frozen=True)
class Conflict:
    """One point measured twice with different results: which columns differ, and the two rows."""

    columns: tuple[str, ...]
    kept: Mapping[str, Any]
    other: Mapping[str, Any]

    @property
    def outcomes_differ(self) -> bool:
        """Whether the two do not even agree on how the point ended."""
        return "outcome" in self.columns


@dataclass
class Merged:
    """What merging one store came to: rows of points, and training runs."""

    added: int = 0
    same: int = 0
    trained: int = 0
    trained_same: int = 0
    conflicts: list[Conflict] = field(default_factory=list)


def merge(source: Store, into: Store) -> Merged:
    """Copy the rows of one store into another.

    A finished row that is there stays, and another one of the same key that differs is put aside in the table
    ``replaced``: nothing measured is lost. A finished row takes the place of one begun only. Merging the same store
    again changes nothing. Training runs go with them; of two finished ones the second is kept aside.
    """
    merged = Merged()
    numbers = _copy_runs(source, into)
    rows = source.rows()
    while some := list(islice(rows, AT_ONCE)):
        with into.together():
            for row in some:
                _merge_row({**row, "run": numbers.get(row["run"])}, into, merged)
    for run in source.training_runs():
        if into.put_trained(run, source.training_points(run["key"]), source.training_state(run["key"])):
            merged.trained += 1
        else:
            merged.trained_same += 1
    return merged


def _merge_row(row: dict[str, Any], into: Store, merged: Merged) -> None:
    finished = row.pop("finished")
    there = into.get(row["key"])
    if there is None or (finished and not there["finished"]):
        merged.added += into.put(row, finished)
    elif finished and "skipped" in (row["outcome"], there["outcome"]) and row["outcome"] != there["outcome"]:
        if there["outcome"] == "skipped":  # another sweep did measure it
            merged.added += into.put(row, replace=True)
        else:
            merged.same += 1
    elif not finished:
        merged.same += 1
    else:
        columns = tuple(name for name in row if name not in _CIRCUMSTANCES and not _equal(row[name], there[name]))
        if columns:
            merged.conflicts.append(Conflict(columns, there, row))
            into.put_aside(row)
        else:
            merged.same += 1


def _copy_runs(source: Store, into: Store) -> dict[int | None, int | None]:
    """Runs of the source under new numbers; those that are there already keep theirs."""
    there = {_run_facts(run): run["id"] for run in into.runs()}
    numbers: dict[int | None, int | None] = {None: None}
    for run in source.runs():
        facts = _run_facts(run)
        numbers[run["id"]] = there[facts] if facts in there else into.add_run(run)
    return numbers


def _run_facts(run: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(str(run[name]) for name in ("title", "command", "started", "commit"))


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    return bool(a == b)

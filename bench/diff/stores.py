"""Two stores, compared row by row; times through the anchor that every window of either was timed with."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

import estimators
from bench.columns import COLUMNS
from bench.diff.change import BIAS_FLOOR, WORDS, Change, DiffError, failed, memory_change
from bench.diff.medians import ratio_interval
from bench.rounds import ratios_to_anchor
from bench.statistics.verdict import LEVEL

IDENTITY = tuple(column.name for column in COLUMNS if column.group == "identity")
# Ratios to the anchor agree less well between two runs than within one: a larger change is asked for.
FLOOR = 0.05
SAME_MACHINE = ("cpu", "cores_logical", "gpus", "torch")

Row = dict[str, Any]


def between_stores(old: Iterable[Row], new: Iterable[Row]) -> list[Change]:
    """What changed between the finished rows of two stores, for each point that both hold.

    Raises:
        DiffError: they hold no point in common.
    """
    before, after = ({_identity(row): row for row in rows} for rows in (old, new))
    changes: list[Change] = []
    both = [at for at in before if at in after]
    if not both:
        held = f"of the old store's {len(before)} and the new one's {len(after)}"
        raise DiffError(f"no point is in both stores, {held}; `export` lists what each holds")
    for at in both:
        changes += _row(before[at], after[at], comparisons=len(both))
    for rows, others, side in ((before, after, "new"), (after, before, "old")):
        for at, row in rows.items():
            if at not in others:
                note = f"the {side} store does not hold it"
                changes += [Change(_label(row), row["estimator"], m, "not comparable", note=note) for m in WORDS]
    return changes


def environment_differences(old: Iterable[Row], new: Iterable[Row]) -> list[str]:
    """What differs between the machines and versions of two stores, one line each."""
    first, second = (_environment(rows) for rows in (old, new))
    return [
        f"{name}: {' or '.join(sorted(first[name]))} → {' or '.join(sorted(second[name]))}"
        for name in first
        if first[name] != second.get(name, set()) and name != "governor"
    ]


def _environment(rows: Iterable[Row]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        facts = {**_machine(row), "method_version": row["method_version"], "commit": (row["commit"] or "")[:12]}
        for name, value in facts.items():
            found.setdefault(name, set()).add(str(value))
    return found


def _machine(row: Row) -> dict[str, Any]:
    try:
        return dict(json.loads(row["machine"] or "{}"))
    except (TypeError, ValueError):
        return {}


def _identity(row: Row) -> str:
    return json.dumps([row[name] for name in IDENTITY], sort_keys=True, default=str)


def _label(row: Row) -> str:
    """The point in few words: options that have their defaults, if they are known here, go without saying."""
    name = row["estimator"]
    default = estimators.get(name).options if name in estimators.names() else {}
    changed = "".join(f" {k}={v}" for k, v in (row["options"] or {}).items() if v != default.get(k))
    return f"{name}{changed} {row['model']} D={row['dim']} depth={row['depth']} order={row['order']}"


def _row(old: Row, new: Row, comparisons: int) -> list[Change]:
    label, estimator = _label(old), old["estimator"]
    if old["outcome"] != "ok" or new["outcome"] != "ok":
        nothing_broke = old["outcome"] != "ok" or new["outcome"] == "skipped"  # skipped: by a sweep, never tried
        return failed(label, estimator, nothing_broke, f"{old['outcome']} → {new['outcome']}")
    if old["method_version"] != new["method_version"]:
        note = f"method version {old['method_version']} → {new['method_version']}"
        return [Change(label, estimator, measure, "not comparable", note=note) for measure in WORDS]
    memory = memory_change(label, estimator, old["peak_step_bytes"], new["peak_step_bytes"])
    return [_time(label, estimator, old, new, comparisons), memory, _bias(label, estimator, old, new)]


def _time(label: str, estimator: str, old: Row, new: Row, comparisons: int) -> Change:
    values = (label, estimator, "time")
    differing = [name for name in SAME_MACHINE if _machine(old).get(name) != _machine(new).get(name)]
    if differing:
        note = f"other {', '.join(differing)}"
        return Change(*values, "not comparable", old["time_step_s"], new["time_step_s"], note=note)
    before, after = (np.array(ratios_to_anchor(row)) for row in (old, new))
    fewest = min(len(before), len(after))
    if not fewest:
        note = "no rounds with an anchor"
        return Change(*values, "not comparable", old["time_step_s"], new["time_step_s"], note=note)
    low, high = ratio_interval(before, after, miss=(1 - LEVEL) / comparisons / 2)
    ratio = float(np.median(after) / np.median(before))
    needed = math.ceil(1 + math.log2(comparisons / (1 - LEVEL)))  # n rounds bound a median with at most 1 − 2^{1−n}
    word, note = "unclear", f"the interval neither clears {100 * FLOOR:g} % nor stays within it"
    if fewest < needed:
        note = f"{fewest} rounds; {comparisons} comparisons together need at least {needed}"
    elif low > 1 + FLOOR:
        word, note = "slower", ""
    elif high < 1 / (1 + FLOOR):
        word, note = "faster", ""
    elif low >= 1 / (1 + FLOOR) and high <= 1 + FLOOR:
        word, note = "same", ""
    return Change(*values, word, old["time_step_s"], new["time_step_s"], ratio, low, high, note)


def _bias(label: str, estimator: str, old: Row, new: Row) -> Change:
    values = (label, estimator, "bias")
    if None in (old["grad_bias_low"], new["grad_bias_low"], old["grad_bias_high"], new["grad_bias_high"]):
        return Change(*values, "not comparable", old["grad_bias"], new["grad_bias"], note="not measured in both")
    at_least = new["grad_bias_low"] - old["grad_bias_high"]
    at_most = new["grad_bias_high"] - old["grad_bias_low"]
    word, note = "unclear", "the intervals cannot tell; more draws could"
    if at_least > BIAS_FLOOR:
        word, note = "more biased", ""
    elif at_most < -BIAS_FLOOR:
        word, note = "less biased", ""
    elif max(at_most, -at_least) <= BIAS_FLOOR:
        word, note = "same", ""
    return Change(*values, word, old["grad_bias"], new["grad_bias"], note=note)

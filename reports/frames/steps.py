"""Step changes: between which commits a series changed its level, by asv's own step detection."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pandas as pd
from asv.step_detect import detect_steps

from reports.frames.history_measures import MEASURES

COLUMNS = (
    *("series", "quantity", "estimator", "label", "dim", "depth", "order", "setting", "machine", "measure"),
    *("before", "after", "old", "new", "change", "word", "lasts"),
)


def steps(history: pd.DataFrame) -> pd.DataFrame:
    """The steps of every series of `reports.frames.history`, largest first.

    asv's detection fits a level that changes at a few commits. Over four or five it may follow every value, so a step
    is named only where it is also larger than the measure's floor (5 % for times) and the intervals of the commits on
    either side do not overlap; or it may miss a level that came and went.

    Columns beside those of the series:
        before, after: the places of the last commit at the old level and the first at the new one.
        old, new: the levels.
        change: new/old − 1; new − old for a bias, which may be 0.
        word: slower, faster, heavier, …
        lasts: how many commits it has been until the next step.
    """
    known = history[history["value"].notna()].sort_values("place", kind="stable")
    several = known[known.duplicated("series", keep=False)]  # one commit has no steps, and a store may have 1e5 series
    found: list[dict[str, Any]] = []
    for _, series in several.groupby("series", sort=False):
        found += _of_series(series)
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    size = frame["change"].abs().where(frame["change"] >= 0, (1 / (1 + frame["change"].clip(lower=-0.999)) - 1))
    return frame.assign(size=size).sort_values("size", ascending=False).drop(columns="size").reset_index(drop=True)


def _of_series(series: pd.DataFrame) -> list[dict[str, Any]]:
    first = series.iloc[0]
    measure = MEASURES[first["measure"]]
    values = [
        0.0 if not resolved else value for value, resolved in zip(series["value"], series["resolved"], strict=True)
    ]
    weights = [_weight(low, high) for low, high in zip(series["low"], series["high"], strict=True)]
    segments = detect_steps(values, weights)
    rows = series.to_dict("records")
    found: list[dict[str, Any]] = []
    starts: list[int] = []
    for (_, _, old, *_), (start, _, new, *_) in itertools.pairwise(segments):
        last, next_ = rows[int(start) - 1], rows[int(start)]
        change = new - old if measure.absolute else new / old - 1 if old > 0 else math.nan
        if not abs(change) > measure.floor or _overlap(last, next_):
            continue
        found.append(
            {name: first[name] for name in COLUMNS[:10]}
            | {"before": last["place"], "after": next_["place"], "old": old, "new": new, "change": change}
            | {"word": measure.words[0 if change > 0 else 1]}
        )
        starts.append(int(start))
    for step, start, end in zip(found, starts, [*starts[1:], len(rows)], strict=False):
        step["lasts"] = end - start
    return found


def _weight(low: float, high: float) -> float | None:
    """As asv weighs its own results; None, which it takes for the median weight, where there is no interval."""
    return 2 / (high - low) if high > low else None


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether their intervals do; values without one only where they are equal."""
    ends = [
        (row["low"], row["high"]) if row["high"] >= row["low"] else (row["value"], row["value"]) for row in (one, other)
    ]
    return max(low for low, _ in ends) <= min(high for _, high in ends)

"""A slice of a frame by `column=value` words."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Any

import pandas as pd

from reports.frames.environment import machine_name


class SliceError(ValueError):
    """A condition that no row can meet; the message is one line."""


SIZES = {"dim": "D =", "depth": "depth", "order": "order"}
HELD = (
    *("quantity", "model", "data", *SIZES, "width", "activation", "residual", "stage", "batch"),
    *("dtype", "device", "threads", "seed", "machine"),
)
"""What makes a problem, and the setting it was measured in."""


def fullest(points: pd.DataFrame, free: Collection[str] = ()) -> tuple[pd.DataFrame, str]:
    """The rows of one problem in one setting, and its name: different ones do not belong into one plot.

    Everything in `HELD` is held but the columns in `free`, the figure's own axes. It is the problem with most finished
    labels (times values of the free columns), the larger size of equals. The name holds the sizes, and whatever else
    differs among the points.
    """
    held = [column for column in HELD if column not in free]
    sizes = [column for column in SIZES if column in held]

    def rank(group: pd.DataFrame) -> tuple[float, ...]:
        marks = group.loc[group["ok"], ["label", *free]].drop_duplicates()
        return len(marks), *(-1.0 if math.isnan(size) else size for size in group[sizes].iloc[0])

    chosen = max((group for _, group in points.groupby(held, dropna=False, sort=True)), key=rank)
    first = chosen.iloc[0]
    words = [str(first["quantity"]).replace("_", " "), str(first["model"])[:30]]
    words += [f"{SIZES[column]} {first[column]:g}" for column in sizes]
    words += [
        _named(column, first[column])
        for column in held
        if column not in ("quantity", "model", *sizes) and points[column].nunique(dropna=False) > 1
    ]
    return chosen, ", ".join(words)[:200]


def _named(column: str, value: Any) -> str:
    if column == "machine":
        return machine_name(value)[:40]
    return f"{column} {value:g}" if isinstance(value, float) else f"{column} {value}"[:40]


def keep(frame: pd.DataFrame, conditions: Iterable[str]) -> pd.DataFrame:
    """The rows in which every `column=value` holds; a value may be several, with commas.

    Raises:
        SliceError: no such column, no ``=``, or nothing left.
    """
    for condition in conditions:
        column, separator, text = condition.partition("=")
        if not separator or column not in frame.columns:
            close = get_close_matches(column, list(frame.columns), n=3)
            raise SliceError(
                f"--where {condition!r}: has to be COLUMN=VALUE with a column of the store"
                + (f"; close: {', '.join(close)}" if close else "")
            )
        wanted, there = text.split(","), frame[column]
        if pd.api.types.is_numeric_dtype(there):
            try:
                frame = frame[there.isin([float(word) for word in wanted])]
            except ValueError:
                raise SliceError(f"--where {condition!r}: {column} holds numbers") from None
        else:
            frame = frame[there.astype(str).isin(wanted)]
        if frame.empty:
            raise SliceError(f"--where {condition!r}: no row is left; there are {sorted(map(str, set(there)))[:12]}")
    return frame

"""A slice of a frame by `column=value` words."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import pandas as pd


class SliceError(ValueError):
    """A condition that no row can meet; the message is one line."""


def fullest(points: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows of one quantity, size and setting, and its name: different problems do not belong into one plot.

    It is the one with most finished labels, the larger size of equals.
    """
    columns = ["quantity", "model", "data", "stage", "batch", "dtype", "device", "machine", "dim", "depth", "order"]
    groups = points.groupby(columns, dropna=False, sort=True)
    place = max(groups.groups, key=lambda key: (groups.get_group(key).query("ok")["label"].nunique(), *key[-3:]))
    chosen = groups.get_group(place)
    first = chosen.iloc[0]
    words = (
        f"{str(first['quantity']).replace('_', ' ')}, {first['model']}, D = {first['dim']:g}, depth {first['depth']:g}"
    )
    return chosen, f"{words}, order {first['order']:g}"[:120]


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

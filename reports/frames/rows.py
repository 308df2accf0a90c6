"""The rows of a store as one typed frame: numbers are floats, empty is NaN or None, options are dictionaries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.columns import COLUMNS, NAMES
from bench.store import Store

NUMBERS = tuple(column.name for column in COLUMNS if column.type in (int, float))
WORDS = tuple(column.name for column in COLUMNS if column.type is str)
FLAGS = tuple(column.name for column in COLUMNS if column.type is bool)


def from_rows(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Type the rows; columns that a row lacks are empty, further columns are kept behind ours.

    Nothing in a row is trusted: a number column that holds text becomes NaN, an options column that is no JSON object
    becomes an empty dictionary.
    """
    frame = pd.DataFrame.from_records([dict(row) for row in rows])
    further = [name for name in frame.columns if name not in NAMES]
    frame = frame.reindex(columns=[*NAMES, *further])
    for name in NUMBERS:
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype("float64")
    for name in WORDS:
        frame[name] = pd.Series([_word(value) for value in frame[name]], index=frame.index, dtype=object)
    for name in FLAGS:
        frame[name] = pd.Series([_flag(value) for value in frame[name]], index=frame.index, dtype=object)
    frame["options"] = pd.Series([_options(value) for value in frame["options"]], index=frame.index, dtype=object)
    return frame.reset_index(drop=True)


def load(path: str | Path) -> pd.DataFrame:
    """All rows of the store at `path`.

    Raises:
        StoreError: there is no store, or it is not ours.
    """
    with Store(path, must_exist=True) as store:
        return from_rows(store.rows())


def load_runs(path: str | Path) -> list[dict[str, Any]]:
    """The runs that wrote to the store at `path`: title, command, started, machine, commit, seeds."""
    with Store(path, must_exist=True) as store:
        return store.runs()


def _empty(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _word(value: Any) -> str | None:
    return None if _empty(value) else value if isinstance(value, str) else json.dumps(value, default=str)


def _flag(value: Any) -> bool | None:
    return None if _empty(value) else bool(value)


def _options(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return dict(value) if isinstance(value, Mapping) else {}

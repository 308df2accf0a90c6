"""The rows of a store as one typed frame: numbers are floats, empty is NaN or None, options are dictionaries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.columns import COLUMNS, NAMES
from bench.store import Store
from bench.store.latest import latest

NUMBERS = tuple(column.name for column in COLUMNS if column.type in (int, float))
WORDS = tuple(column.name for column in COLUMNS if column.type is str)
FLAGS = tuple(column.name for column in COLUMNS if column.type is bool)


def from_rows(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Type the rows; columns that a row lacks are empty, further columns are kept behind ours.

    Nothing in a row is trusted: a number column that holds text becomes NaN, an options column that is no JSON object
    becomes an empty dictionary.
    """
    rows = [dict(row) for row in rows]
    further = sorted({name for row in rows for name in row} - set(NAMES))
    columns = {name: _typed(name, [row.get(name) for row in rows]) for name in (*NAMES, *further)}
    return pd.DataFrame(columns)


def _typed(name: str, values: list[Any]) -> pd.Series:
    if name in NUMBERS:
        return pd.Series(_numbers(values), dtype="float64")
    read = _options if name == "options" else _flag if name in FLAGS else _word if name in WORDS else _any
    return pd.Series([read(value) for value in values], dtype=object)


def load(path: str | Path) -> pd.DataFrame:
    """The rows of the store at `path`; of several versions the newest, ``attrs["older_rows"]`` counts the rest.

    Raises:
        StoreError: there is no store, or it is not ours.
    """
    with Store(path, must_exist=True) as store:
        rows = list(store.rows())
    newest = latest(rows)
    frame = from_rows(newest)
    frame.attrs["older_rows"] = len(rows) - len(newest)
    return frame


def load_runs(path: str | Path) -> list[dict[str, Any]]:
    """The runs that wrote to the store at `path`: title, command, started, machine, commit, seeds."""
    with Store(path, must_exist=True) as store:
        return store.runs()


def _empty(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _numbers(values: list[Any]) -> np.ndarray:
    try:
        return np.array(values, dtype=np.float64)  # None becomes NaN
    except (TypeError, ValueError):
        return pd.to_numeric(pd.Series([_any(value) for value in values], dtype=object), errors="coerce").to_numpy()


def _word(value: Any) -> str | None:
    return None if _empty(value) else _text(value) if isinstance(value, str) else json.dumps(value, default=str)


def _text(value: str) -> str:
    """Half a surrogate pair cannot be written as UTF-8; it is told by its code."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def _any(value: Any) -> Any:
    return None if _empty(value) else _text(value) if isinstance(value, str) else value


def _flag(value: Any) -> bool | None:
    return None if _empty(value) else bool(value)


def _options(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    if not isinstance(value, Mapping):
        return {}
    return {_text(str(name)): _text(inner) if isinstance(inner, str) else inner for name, inner in value.items()}

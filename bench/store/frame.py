"""The store's rows as a pandas table, built column by column."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from bench.store.values import TYPES

_DTYPES = {int: "Int64", float: "float64", bool: "boolean", str: "str"}


def frame(blocks: Iterable[list[tuple[Any, ...]]]) -> pd.DataFrame:
    """A table of the columns in order; empty integers and booleans are missing, not wrong."""
    columns: list[list[Any]] = [[] for _ in TYPES]
    for block in blocks:
        for column, values in zip(columns, zip(*block, strict=True), strict=True):
            column.extend(values)
    return pd.DataFrame(
        {name: series(kind, values) for (name, kind), values in zip(TYPES.items(), columns, strict=True)}
    )


def series(kind: type, values: list[Any]) -> pd.Series:
    """A column of values as SQLite keeps them, typed so that it can be empty."""
    if kind in (dict, list):
        return pd.Series([None if value is None else json.loads(value) for value in values], dtype="object")
    if kind is bool:
        return pd.Series([None if value is None else bool(value) for value in values], dtype="boolean")
    return pd.Series(values, dtype=_DTYPES[kind])

"""Between Python values and SQLite's: dictionaries and lists travel as JSON, never as pickles."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from typing import Any

from bench.columns import COLUMNS
from bench.store.errors import StoreError

EXTRA_COLUMNS: tuple[tuple[str, type], ...] = (("finished", bool), ("run", int), ("extra", dict), ("output", str))
TYPES: dict[str, type] = {column.name: column.type for column in COLUMNS} | dict(EXTRA_COLUMNS)
SQL_TYPES = {str: "TEXT", dict: "TEXT", list: "TEXT", int: "INTEGER", bool: "INTEGER", float: "REAL"}


def encode_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """What SQLite keeps of a row; columns left out are empty.

    Raises:
        StoreError: an unknown column, or a value that is not of its column's type.
    """
    for name in row:
        if name not in TYPES:
            from estimators.arguments import close_matches  # imports torch, which reading a store does not need

            raise StoreError(f"row has an unknown column {name!r}" + close_matches(name, TYPES))
    return {name: encode(name, row.get(name)) for name in TYPES}


def encode(name: str, value: Any) -> str | int | float | None:
    """One value of a row as SQLite keeps it. A not-a-number becomes empty, as SQLite has none; infinities stay."""
    return encode_as(TYPES[name], name, value)


def encode_as(kind: type, name: str, value: Any) -> str | int | float | None:
    """One value of a column of this type as SQLite keeps it."""
    if value is None:
        return None
    try:
        if kind is str:
            if not isinstance(value, str):
                raise TypeError
            return value.encode("utf-8", "replace").decode()  # captured output may hold lone surrogates
        if kind in (dict, list):
            if not isinstance(value, Mapping if kind is dict else (list, tuple)):
                raise TypeError
            return json.dumps(dict(value) if kind is dict else list(value), default=_plain)
        if kind is bool:
            if value not in (0, 1):
                raise TypeError
            return int(value)
        return operator.index(value) if kind is int else float(value)
    except (TypeError, ValueError):
        raise StoreError(f"column {name} holds {kind.__name__}; got {value!r}") from None


def decode(name: str, value: Any) -> Any:
    """The Python value that `encode` was given."""
    return decode_as(TYPES[name], value)


def decode_as(kind: type, value: Any) -> Any:
    """The Python value that `encode_as` was given."""
    if value is None:
        return None
    if kind in (dict, list):
        return json.loads(value)
    return bool(value) if kind is bool else value


def _plain(value: Any) -> Any:
    """NumPy and torch scalars as plain numbers, mappings as dictionaries; anything else is refused."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")

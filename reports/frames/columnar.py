"""A frame as compact JSON columns: constants once, words by code, numbers rounded to what can be read off."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd


def columnar(frame: pd.DataFrame, digits: int = 6) -> dict[str, Any]:
    """The frame as {"length", "columns": {name: column}}.

    A column is one of

    - ``{"constant": value}``;
    - ``{"values": [distinct …], "codes": [index …]}``;
    - ``{"numbers": [number or null …]}``.

    Infinities and NaN become null. Numbers keep `digits` significant digits; columns of whole numbers (bytes,
    operations, seeds) keep all of theirs.
    """
    return {"length": len(frame), "columns": {name: _column(frame[name], digits) for name in frame.columns}}


def _column(column: pd.Series, digits: int) -> dict[str, Any]:
    if pd.api.types.is_bool_dtype(column.dtype) or not pd.api.types.is_numeric_dtype(column.dtype):
        codes, distinct = _by_code(column)
    else:
        rounded = _rounded(column.to_numpy(dtype=np.float64, na_value=np.nan), digits)
        codes, distinct = pd.factorize(rounded, use_na_sentinel=False)
        distinct = [_number(value) for value in distinct.tolist()]
        if len(distinct) > max(16, len(rounded) // 8):
            return {"numbers": [_number(value) for value in rounded.tolist()]}
    if len(distinct) <= 1:
        return {"constant": distinct[0] if distinct else None}
    return {"values": distinct, "codes": codes.tolist()}


def _by_code(column: pd.Series) -> tuple[np.ndarray, list[Any]]:
    """Words, flags and nested values; types are kept apart, so that True and 1 differ."""
    seen: dict[tuple[type, Any], int] = {}
    codes = np.empty(len(column), dtype=np.int64)
    for place, value in enumerate(column.tolist()):
        plain = _plain(value)
        codes[place] = seen.setdefault((type(plain), plain), len(seen))
    return codes, [value for _, value in seen]


def _rounded(values: np.ndarray, digits: int) -> np.ndarray:
    """To so many significant digits; infinities become NaN."""
    values = np.where(np.isfinite(values), values, np.nan)
    known = values[~np.isnan(values)]
    if (known == np.trunc(known)).all():
        return values
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        places = digits - 1 - np.floor(np.log10(np.abs(values)))
        scale = 10.0 ** np.abs(places)
        rounded = np.where(places >= 0, np.round(values * scale) / scale, np.round(values / scale) * scale)
    return np.where(np.isfinite(rounded), rounded, values)


def _number(value: float) -> float | int | None:
    if value != value:
        return None
    return int(value) if value == int(value) and abs(value) < 2**53 else value


def _plain(value: Any) -> Any:
    if isinstance(value, str | bool | int) or value is None:
        return value
    if value is pd.NA or value != value:
        return None
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    if hasattr(value, "item"):
        return _plain(value.item())
    return value if isinstance(value, float) and abs(value) != np.inf else str(value)


def embedded(value: Any) -> str:
    """JSON that can stand inside a script element: no ``</script>``, no ``<!--``, no line separators of JavaScript."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in (
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(character, escape)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

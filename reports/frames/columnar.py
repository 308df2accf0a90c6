"""A frame as compact JSON columns: constants once, words by code, numbers rounded to what can be read off."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd


def columnar(frame: pd.DataFrame, digits: int = 6) -> dict[str, Any]:
    """The frame as {"length", "columns": {name: column}}.

    A column is one of

    - ``{"constant": value}``;
    - ``{"values": [distinct …], "codes": [index …]}``;
    - ``{"numbers": [number or null …]}``.

    Infinities and NaN become null. Numbers keep `digits` significant digits.
    """
    return {"length": len(frame), "columns": {name: _column(list(frame[name]), digits) for name in frame.columns}}


def _column(values: list[Any], digits: int) -> dict[str, Any]:
    plain = [_plain(value, digits) for value in values]
    codes: dict[Any, int] = {}
    for value in plain:
        codes.setdefault((type(value), value), len(codes))
    distinct = [value for _, value in codes]
    if len(distinct) <= 1:
        return {"constant": distinct[0] if distinct else None}
    numeric = all(isinstance(value, int | float | None) and not isinstance(value, bool) for value in distinct)
    if numeric and len(distinct) > max(16, len(plain) // 8):
        return {"numbers": plain}
    return {"values": distinct, "codes": [codes[type(value), value] for value in plain]}


def _plain(value: Any, digits: int) -> Any:
    if value is None or value is pd.NA:
        return None
    if isinstance(value, bool | str):
        return value
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    if hasattr(value, "item"):
        value = value.item()
        return _plain(value, digits)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        if value == int(value) and abs(value) < 2**53:
            return int(value)
        return float(f"{value:.{digits}g}")
    return value if isinstance(value, int) else str(value)


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

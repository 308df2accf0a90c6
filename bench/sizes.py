"""Amounts with a unit, as people write them: ``80GiB``, ``400TFLOP/s``, ``5us``."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TENS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
BYTES: Mapping[str, float] = {
    **{f"{prefix}B": factor for prefix, factor in _TENS.items()},
    **{f"{prefix}iB": 1024.0**power for power, prefix in enumerate(("", "K", "M", "G", "T")) if power},
}
BYTES_A_SECOND: Mapping[str, float] = {f"{unit}/s": factor for unit, factor in BYTES.items()}
FLOPS: Mapping[str, float] = {
    f"{prefix}{word}": factor for prefix, factor in _TENS.items() for word in ("FLOP/s", "FLOPS")
}
SECONDS: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def read(text: str, units: Mapping[str, float], example: str) -> float:
    """The amount, positive and in the plain unit.

    Raises:
        ValueError: it is not a positive number with one of the units; one line.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*([^\s\d].*?)\s*", str(text))
    if match is None or match[2] not in units or not float(match[1]) > 0:
        raise ValueError(f"has to be a positive number with a unit ({', '.join(units)}), as {example}; got {text!r}")
    return float(match[1]) * units[match[2]]

"""The bias that a verdict counts on, and the price of bringing a gradient's error below a tolerance.

Averaging k independent calls leaves the bias and divides the variance: the error is √(bias² + std²/k). So an estimator
qualifies at a tolerance τ if its bias is surely below τ, and then needs k = ⌈std²/(τ² − bias²)⌉ calls.
"""

from __future__ import annotations

import math
from functools import cache

import estimators

TIE = 1.05
"""Estimators less than this factor apart are tied: run to run, an unchanged step moves by about as much."""


EXACT_TARGETS = ("exact", "sm")


def declared_bias(name: str, target: str | None) -> str:
    """What the registry says of the bias against the exact gradient: none, vanishing, fixed or unknown.

    A row with a target of its own (denoising, smoothed) may be unbiased for that; against the exact gradient that says
    nothing.
    """
    if target not in EXACT_TARGETS:
        return "unknown"
    return _registered_bias(name)


@cache
def _registered_bias(name: str) -> str:
    try:
        return estimators.get(name).bias
    except KeyError:
        return "unknown"


def sure_bias(low: float, high: float, declared: str) -> tuple[float, float]:
    """(low, high) that a verdict counts on.

    The measured interval; but an estimator that is unbiased by construction is charged only with the bias that the
    measurement proves, the lower end: its detection limit says how long it was measured, not how biased it is.
    """
    return (low, low) if declared == "none" else (low, high)


def calls_needed(bias: float, std: float, tolerance: float) -> float:
    """How many independent calls have to be averaged; infinite where the bias alone reaches the tolerance."""
    if not bias < tolerance:
        return math.inf
    return max(1.0, math.ceil(std**2 / (tolerance**2 - bias**2) - 1e-9))

"""The bias that a verdict counts on: what was measured, and what is declared."""

from __future__ import annotations

from functools import cache

import estimators

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

"""The verdict's rule, stated once: Python runs this file, and the page runs its translation to JavaScript.

So it keeps to what `reports.pages.translation` knows: functions of numbers, of laws (by attribute), of facts (by key).
Unknown numbers are NaN, limits that were not set are infinite.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, exp, floor, hypot, inf, isnan, log, nan, sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.recommend.fits import Fits
    from bench.recommend.scaling import Law

TIE = 1.05
"""Estimators less than this factor apart are tied: run to run, an unchanged step moves by about as much."""

REFUSALS = {
    "biased": "too biased: {} of the gradient at least",
    "unresolved": "its bias was not resolved and may be up to {}",
    "memory unknown": "memory unknown",
    "heavy": "too heavy: {}",
    "budget": "beyond the budget: needs {}",
}
"""Why an estimator does not qualify, by the word that `judged` says."""


def calls_needed(bias: float, std: float, tolerance: float) -> float:
    """How many independent calls have to be averaged so that √(bias² + std²/k) ≤ tolerance; infinite if none do."""
    if not bias < tolerance:
        return inf
    return max(1, ceil(std**2 / (tolerance**2 - bias**2) - 1e-9))


def judged(facts: Mapping[str, float], tolerance: float, memory: float, budget: float) -> dict[str, Any]:
    """What an estimator costs until its gradient's error is below the tolerance, or why it does not qualify.

    Args:
        facts: step, step_low, step_high (seconds), bias_low, bias_high, std (relative), memory (bytes).
        tolerance: the relative error accepted.
        memory: the bytes at hand.
        budget: seconds; with it, all of them are spent on calls that are averaged.

    Returns:
        why (a word of `REFUSALS`, or nothing) and amount (its number); else calls, cost, cost_low, cost_high, and the
        error after those calls with its interval from bias and time.
    """
    if facts["bias_low"] >= tolerance:
        return {"why": "biased", "amount": facts["bias_low"]}
    if facts["bias_high"] >= tolerance:
        return {"why": "unresolved", "amount": facts["bias_high"]}
    if memory < inf and isnan(facts["memory"]):
        return {"why": "memory unknown", "amount": nan}
    if facts["memory"] > memory:
        return {"why": "heavy", "amount": facts["memory"]}
    step, std = facts["step"], facts["std"]
    calls = calls_needed(facts["bias_high"], std, tolerance)
    if calls * step > budget:
        return {"why": "budget", "amount": calls * step}
    if budget < inf:
        calls = floor(budget / step)
    return {
        "why": "",
        "calls": calls,
        "cost": calls * step,
        "cost_low": calls * facts["step_low"],
        "cost_high": calls * facts["step_high"],
        "error": hypot(facts["bias_high"], std / sqrt(calls)),
        "error_low": hypot(facts["bias_low"], std / sqrt(calls * step / facts["step_low"])),
        "error_high": hypot(facts["bias_high"], std / sqrt(calls * step / facts["step_high"])),
    }


def tied(value: float, low: float, best: float, best_high: float) -> bool:
    """Whether an answer cannot be told from the best: intervals overlap, or they lie within a few per cent."""
    return low <= best_high or value <= TIE * best


def law_value(law: Law, dim: float, depth: float) -> float:
    """Σ_k c_k · D^{p_k} · depth^{q_k} · min(D, width)^{r_k}."""
    total = 0.0
    for c, (p, q, r) in zip(law.coefficients, law.powers, strict=True):
        total += c * dim**p * depth**q * min(dim, law.width) ** r
    return total


def outside(size: float, measured: Any) -> float:
    """How far a size is outside the measured ones, in e-folds; 0 inside."""
    return max(0, log(measured[0] / size), log(size / measured[1]))


def law_distance(law: Law, dim: float, depth: float) -> float:
    """How far outside the measured sizes, in e-folds, summed over both axes."""
    return outside(dim, law.dims) + outside(depth, law.depths)


def law_spread(law: Law, dim: float, depth: float) -> float:
    """The std of log prediction over measurement: as at sizes left out, and growing outside of the measured ones."""
    return law.spread + law.spread_outside * law_distance(law, dim, depth)


def does_not_scale(fit: Fits, dim: float, depth: float) -> str:
    """The axis along which only another size was measured, so that nothing says how the cost scales; or nothing."""
    if fit.time.dims[0] == fit.time.dims[1] and fit.time.dims[0] != dim:
        return "dimension"
    if fit.time.depths[0] == fit.time.depths[1] and fit.time.depths[0] != depth:
        return "depth"
    return ""


def predicted(fit: Fits, dim: float, depth: float) -> dict[str, float]:
    """The facts of `judged` from fitted laws; no law of an error means none was seen."""
    step = law_value(fit.time, dim, depth)
    factor = exp(1.96 * law_spread(fit.time, dim, depth))
    bias_high = 0.0 if fit.bias_high is None else law_value(fit.bias_high, dim, depth)
    bias_low = 0.0 if fit.bias_low is None else law_value(fit.bias_low, dim, depth)
    return {
        "step": step,
        "step_low": step / factor,
        "step_high": step * factor,
        "bias_low": min(bias_low, bias_high),
        "bias_high": bias_high,
        "std": 0.0 if fit.std is None else law_value(fit.std, dim, depth),
        "memory": nan if fit.memory is None else law_value(fit.memory, dim, depth),
    }

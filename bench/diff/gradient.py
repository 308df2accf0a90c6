"""Whether two versions of an estimator have the same expected gradient, from equal draws of both."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from bench.diff.change import BIAS_FLOOR, WORDS, Change, word_of_failure
from bench.statistics.bias import bias_interval


def gradient_change(
    label: str, estimator: str, old: np.ndarray, new: np.ndarray, exact: np.ndarray | None, level: float = 0.99
) -> Change:
    """The change of bias between two versions, from block means of their gradients.

    The size of E ĝ_new − E ĝ_old has the interval of `bias_interval`, applied to the differences of draws with the same
    probes: the probes' noise cancels wherever the code draws and uses them alike, so a change far below the noise of a
    draw is seen. Where it is below 0.1 % of the gradient with certainty, the bias is the *same*. Where it is
    above, the new version is *less biased* if its expected gradient lies closer to the exact one with certainty, and
    *more biased* otherwise: that the expectation moved is certain then, and nothing shows that it moved for the better.

    Args:
        label: the point.
        estimator: its estimator.
        old: block means of the old version's gradients, (K, P); K = 1 for a deterministic estimator.
        new: the same of the new version.
        exact: the exact gradient, (P,), or None.
        level: of the intervals.
    """
    if old.shape != new.shape:
        note = f"gradients of {old.shape[1]} and {new.shape[1]} entries, {len(old)} and {len(new)} blocks"
        return Change(label, estimator, "bias", "not comparable", note=note)
    if not (np.isfinite(old).all() and np.isfinite(new).all()):
        word = word_of_failure(old_failed=not np.isfinite(old).all())
        return Change(label, estimator, "bias", word, note="gradients that are not finite")
    norm = float(np.linalg.norm(old.mean(0) if exact is None else exact)) or 1.0
    difference = (new - old) / norm
    if len(old) == 1:
        size = low = high = float(np.linalg.norm(difference))
    else:
        found = bias_interval(difference @ difference.T, level)
        size, low, high = found.bias, found.low, found.high
    errors = [math.nan if exact is None else float(np.linalg.norm(g.mean(0) - exact)) / norm for g in (old, new)]

    def say(word: str, note: str = "") -> Change:
        return Change(label, estimator, "bias", word, errors[0], errors[1], size, low, high, note)

    if high <= BIAS_FLOOR:
        return say("same")
    if low <= BIAS_FLOOR:
        return say("unclear", "the draws cannot tell; more of them could")
    closer = exact is not None and _moved_closer(difference, (old - exact) / norm, (new - exact) / norm, level)
    return say(WORDS["bias"][1 if closer else 0], f"its expected gradient moved by {100 * size:.2g} %")


def _moved_closer(difference: np.ndarray, old: np.ndarray, new: np.ndarray, level: float) -> bool:
    """Whether ‖E new‖ < ‖E old‖ for errors, by the sign of Δ·(old + new), Δ from the other blocks than the factor's."""
    blocks = len(difference)
    if blocks == 1:
        return bool(np.linalg.norm(new) < np.linalg.norm(old))
    others = (difference.sum(0) - difference) / (blocks - 1)
    along = (others * (old + new)).sum(1)
    spread = float(along.std(ddof=1)) / math.sqrt(blocks)
    return bool(along.mean() + stats.t.ppf(level, blocks - 1) * spread < 0)

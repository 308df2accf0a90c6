"""The Pareto front, and its uncertainty: the share of bootstrap draws in which a point is on it."""

from __future__ import annotations

import numpy as np

DRAWS = 500


def on_front(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which points have no other that is both cheaper and better (or equal in one); of equals the first."""
    order = np.lexsort((y, x))
    before = np.minimum.accumulate(np.concatenate([[np.inf], y[order][:-1]]))
    flags = np.empty(len(x), dtype=bool)
    flags[order] = y[order] < before
    return flags


def front_shares(x: np.ndarray, x_ends: np.ndarray, y: np.ndarray, y_ends: np.ndarray, seed: int = 0) -> np.ndarray:
    """The share of draws with each point on the front; draws are log-normal within the 95 % intervals, (2, n) each."""
    rng = np.random.default_rng(seed)

    def drawn(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
        low, high = ends
        known = (low > 0) & (high > low)
        spread = np.where(known, np.log(np.where(known, high / np.where(known, low, 1), 1)) / 3.92, 0)
        return values * np.exp(spread * rng.standard_normal((DRAWS, len(values))))

    return np.mean([on_front(a, b) for a, b in zip(drawn(x, x_ends), drawn(y, y_ends), strict=True)], axis=0)

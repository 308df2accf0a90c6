"""A/A: identical steps timed against each other. What this machine calls changed, and what change it can see.

A slowdown can also be planted for good: one of the two waits, after every call, for a share of what that call took.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from bench.comparison import LOOKS, ROUNDS, side_by_side
from bench.measure import Bench
from bench.point import Point
from bench.statistics.verdict import FLOOR, Verdict, statement

SEEN = 0.95
CHANGES = (0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class FalseAlarms:
    """What pairs of identical steps showed.

    Attributes:
        pairs: how many pairs were timed.
        false: how many were called faster or slower.
        rate_high: the 95 % upper limit of the rate of false verdicts (Clopper and Pearson).
        visible: the smallest relative slowdown that is called slower in at least 95 % of the pairs, were their ratios
            multiplied by it; NaN where none of those tried is.
        scatter: the median over pairs of half the width of the interval of the ratio.
        shift: the largest distance of a pair's ratio from one.
        pair_s: the seconds that a pair took, on average.
        failures: why pairs could not be timed.
    """

    pairs: int
    false: int
    rate_high: float
    visible: float
    scatter: float
    shift: float
    pair_s: float = math.nan
    failures: tuple[str, ...] = ()


def measure(
    bench: Bench,
    points: Sequence[Point],
    pairs: int,
    on_pair: Callable[[int, int], None] | None = None,
    rounds: int = ROUNDS,
) -> FalseAlarms:
    """Time ``pairs`` pairs of workers that do the same, going through the points in turn."""
    verdicts: list[Verdict] = []
    failures: list[str] = []
    started = time.perf_counter()
    for index in range(pairs):
        point = points[index % len(points)]
        first, second = side_by_side(bench, [point, point], rounds=rounds)
        if second.verdict:
            verdicts.append(second.verdict)
        else:
            failures.append(f"{point.estimator}: {first.failure or second.failure}")
        if on_pair is not None:
            on_pair(index + 1, pairs)
    pair_s = (time.perf_counter() - started) / pairs
    return replace(summary(verdicts), pair_s=pair_s, failures=tuple(dict.fromkeys(failures)))


def planted_seen(
    bench: Bench,
    points: Sequence[Point],
    pairs: int,
    change: float,
    on_pair: Callable[[int, int], None] | None = None,
    rounds: int = ROUNDS,
) -> list[Verdict]:
    """Time pairs of which the second waits for ``change`` of its own time after every call; their verdicts."""
    found: list[Verdict] = []
    for index in range(pairs):
        point = points[index % len(points)]
        words = side_by_side(bench, [point, point], rounds=rounds, planted=change)[1].verdict
        found += [words] if words else []
        if on_pair is not None:
            on_pair(index + 1, pairs)
    return found


def summary(verdicts: Sequence[Verdict]) -> FalseAlarms:
    """What the verdicts on pairs of identical steps say."""
    if not verdicts:
        return FalseAlarms(0, 0, math.nan, math.nan, math.nan, math.nan)
    false = sum(v.word in ("faster", "slower") for v in verdicts)
    return FalseAlarms(
        pairs=len(verdicts),
        false=false,
        rate_high=limits(false, len(verdicts), 0.9)[1],
        visible=next((change for change in CHANGES if _seen(verdicts, change) >= SEEN), math.nan),
        scatter=float(np.median([(v.high - v.low) / 2 for v in verdicts])),
        shift=max(abs(v.ratio - 1) for v in verdicts),
    )


def _seen(verdicts: Sequence[Verdict], change: float) -> float:
    """The share of pairs called slower if one of the two were: the interval of a median scales with the ratios."""
    return sum(v.low * (1 + change) > 1 + FLOOR for v in verdicts) / len(verdicts)


def limits(hits: int, pairs: int, level: float = 0.95) -> tuple[float, float]:
    """The exact limits of a rate (Clopper and Pearson)."""
    interval = stats.binomtest(hits, pairs).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


def rule() -> str:
    """The rule the verdicts follow, in one line."""
    return statement(1, looks=len(LOOKS))

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

from bench.comparison import LOOKS, ROUNDS, Launches, side_by_side
from bench.measure import Bench
from bench.point import Point
from bench.statistics.verdict import Verdict, of_launches, statement

SEEN = 0.95
CHANGES = (0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class FalseAlarms:
    """What pairs of identical steps showed.

    Attributes:
        pairs: how many pairs were timed.
        false: how many were called faster or slower.
        rate_low: the lower 95 % limit of the rate of false verdicts (Clopper and Pearson).
        rate_high: the upper one.
        visible: the smallest relative slowdown that is called slower in at least 95 % of the pairs, were their ratios
            multiplied by it; NaN where none of those tried is. A pair that would have been looked at again, and was
            not, counts as one that is not called slower.
        scatter: the median over pairs of half the width of the interval of the ratio.
        shift: the largest distance of a pair's ratio from one.
        pair_s: the seconds that a pair took, on average.
        failures: why pairs could not be timed.
    """

    pairs: int
    false: int
    rate_low: float
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
    pairs_timed: list[tuple[Launches, Verdict]] = []
    failures: list[str] = []
    started = time.perf_counter()
    for index in range(pairs):
        point = points[index % len(points)]
        first, second = side_by_side(bench, [point, point], rounds=rounds)
        if second.verdict:
            pairs_timed.append((second.launches, second.verdict))
        else:
            failures.append(f"{point.estimator}: {first.failure or second.failure}")
        if on_pair is not None:
            on_pair(index + 1, pairs)
    pair_s = (time.perf_counter() - started) / pairs
    return replace(summary(pairs_timed), pair_s=pair_s, failures=tuple(dict.fromkeys(failures)))


def planted_seen(
    bench: Bench,
    points: Sequence[Point],
    pairs: int,
    change: float,
    on_pair: Callable[[int, int], None] | None = None,
    rounds: int = ROUNDS,
) -> list[Verdict | None]:
    """Time pairs of which the second waits for ``change`` of its own time after every call; None where one failed."""
    found: list[Verdict | None] = []
    for index in range(pairs):
        point = points[index % len(points)]
        found.append(side_by_side(bench, [point, point], rounds=rounds, planted=change)[1].verdict)
        if on_pair is not None:
            on_pair(index + 1, pairs)
    return found


def summary(pairs: Sequence[tuple[Launches, Verdict]]) -> FalseAlarms:
    """What pairs of identical steps say: their ratios, launch by launch, and the verdict on them."""
    if not pairs:
        return FalseAlarms(0, 0, 0.0, 1.0, math.nan, math.nan, math.nan)
    verdicts = [words for _, words in pairs]
    false = sum(v.word in ("faster", "slower") for v in verdicts)
    low, high = limits(false, len(verdicts))
    return FalseAlarms(
        pairs=len(verdicts),
        false=false,
        rate_low=low,
        rate_high=high,
        visible=next((change for change in CHANGES if _seen(pairs, change) >= SEEN), math.nan),
        scatter=float(np.median([(v.high - v.low) / 2 for v in verdicts])),
        shift=max(abs(v.ratio - 1) for v in verdicts),
    )


def _seen(pairs: Sequence[tuple[Launches, Verdict]], change: float) -> float:
    """The share of pairs called slower if one of the two were, by the rule itself on the launches that there are."""
    slowed = [[np.multiply(ratios, 1 + change) for ratios in launches] for launches, _ in pairs]
    words = [of_launches(launches, comparisons=len(LOOKS)).word for launches in slowed]
    return words.count("slower") / len(words)


def limits(hits: int, pairs: int, level: float = 0.95) -> tuple[float, float]:
    """The exact limits of a rate (Clopper and Pearson)."""
    interval = stats.binomtest(hits, pairs).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


def rule() -> str:
    """The rule the verdicts follow, in one line."""
    return statement(1, looks=len(LOOKS))

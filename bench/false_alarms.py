"""A/A: identical steps timed against each other. What this machine calls changed, and what change it can see.

A slowdown can also be planted for good: one of the two waits, in every call, for a share of a step's time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats

from bench.comparison import LOOKS, ROUNDS, side_by_side
from bench.measure import Bench
from bench.point import Point
from bench.statistics.verdict import FLOOR, LEVEL, Verdict, verdict

PLUGIN = Path(__file__).with_name("planted.py")
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
        failures: why pairs could not be timed.
    """

    pairs: int
    false: int
    rate_high: float
    visible: float
    scatter: float
    shift: float
    failures: tuple[str, ...] = ()


def measure(
    bench: Bench,
    points: Sequence[Point],
    pairs: int,
    on_pair: Callable[[int, int], None] | None = None,
    rounds: int = ROUNDS,
) -> FalseAlarms:
    """Time ``pairs`` pairs of workers that do the same, going through the points in turn."""
    ratios: list[tuple[float, ...]] = []
    failures: list[str] = []
    for index in range(pairs):
        point = points[index % len(points)]
        first, second = side_by_side(bench, [point, point], rounds=rounds)
        if second.ratios:
            ratios.append(second.ratios)
        else:
            failures.append(f"{point.estimator}: {first.failure or second.failure}")
        if on_pair is not None:
            on_pair(index + 1, pairs)
    return summary(ratios, tuple(dict.fromkeys(failures)))


def planted_seen(
    bench: Bench,
    points: Sequence[Point],
    pairs: int,
    change: float,
    on_pair: Callable[[int, int], None] | None = None,
    rounds: int = ROUNDS,
) -> list[Verdict]:
    """Time pairs of which the second waits for ``change`` of a step's time, with `bench.planted`; their verdicts."""
    found: list[Verdict] = []
    steps: dict[int, float | None] = {}
    for index in range(pairs):
        at = index % len(points)
        point = replace(points[at], estimator="planted", options={"of": points[at].estimator, "wait_s": 0.0})
        if at not in steps:
            steps[at] = side_by_side(bench, [point], rounds=8)[0].median_s
        step_s = steps[at]
        if step_s is not None:
            slower = replace(point, options={**point.options, "wait_s": change * step_s})
            words = side_by_side(bench, [point, slower], rounds=rounds)[1].verdict
            found += [words] if words else []
        if on_pair is not None:
            on_pair(index + 1, pairs)
    return found


def summary(ratios: Sequence[Sequence[float]], failures: tuple[str, ...] = ()) -> FalseAlarms:
    """What the rounds' ratios of pairs of identical steps say."""
    if not ratios:
        return FalseAlarms(0, 0, math.nan, math.nan, math.nan, math.nan, failures)
    verdicts = [verdict(values, comparisons=len(LOOKS)) for values in ratios]
    false = sum(v.word in ("faster", "slower") for v in verdicts)
    return FalseAlarms(
        pairs=len(ratios),
        false=false,
        rate_high=float(stats.binomtest(false, len(ratios)).proportion_ci(0.9, method="exact").high),
        visible=next((change for change in CHANGES if _seen(verdicts, change) >= SEEN), math.nan),
        scatter=float(np.median([(v.high - v.low) / 2 for v in verdicts])),
        shift=max(abs(v.ratio - 1) for v in verdicts),
        failures=failures,
    )


def _seen(verdicts: Sequence[Verdict], change: float) -> float:
    """The share of pairs called slower if one of the two were: the interval of a median scales with the ratios."""
    return sum(v.low * (1 + change) > 1 + FLOOR for v in verdicts) / len(verdicts)


def rule() -> str:
    """The rule the verdicts follow, in one line."""
    return (
        f"a verdict needs the interval of the median ratio to clear {100 * FLOOR:g} %, at {100 * LEVEL:g} % for up to "
        f"{len(LOOKS)} looks together"
    )

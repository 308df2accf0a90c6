"""How far predictions are off: every measured size is left out in turn, and predicted from the others.

``python -m bench.recommend.holdout --store PATH`` prints the share of predicted step times within 25 % of the measured
ones, inside the measured range (interpolation) and at its ends (extrapolation), and the worst misses. A dimension or a
depth is left out of all estimators at once. Only laws that keep two values of the axis are asked.
"""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import beta

from bench.recommend.fits import rates_of, time_law
from bench.recommend.measurement import Measurement, measurements
from bench.store.latest import latest

WITHIN = 0.25
WORST = 8
NOISY = 0.15
"""Half the width of a time's own interval, relative, from which on a miss may be the measurement's."""


class Prediction(NamedTuple):
    """One size left out; `reach` is how far outside it lies, as a factor, `noise` half its interval over its time."""

    label: str
    order: int
    dim: int
    depth: int
    predicted: float
    measured: float
    outside: bool
    covered: bool
    reach: float
    noise: float

    @property
    def error(self) -> float:
        """|predicted / measured − 1|."""
        return abs(self.predicted / self.measured - 1)


def predictions(rows: Iterable[Mapping[str, Any]]) -> list[Prediction]:
    """Every measured size, predicted without it: all rows of its dimension left out, then all of its depth."""
    settings: dict[Any, list[Measurement]] = defaultdict(list)
    for m in measurements(latest(rows)):
        if m.measured:
            settings[m.quantity, m.setting].append(m)
    found = []
    for group in settings.values():
        for axis in ("dim", "depth"):
            for size in sorted({getattr(m, axis) for m in group}):
                found += _without(group, axis, size)
    return found


def _without(group: list[Measurement], axis: str, size: int) -> list[Prediction]:
    rates = rates_of(m for m in group if getattr(m, axis) != size)
    labels: dict[Any, list[Measurement]] = defaultdict(list)
    for m in group:
        labels[m.label, m.order].append(m)
    made = []
    for own in labels.values():
        kept = [m for m in own if getattr(m, axis) != size]
        law = time_law(kept, rates) if len({getattr(m, axis) for m in kept}) > 1 else None
        if law is None:
            continue
        low, high = law.dims if axis == "dim" else law.depths
        for m in (m for m in own if getattr(m, axis) == size):
            predicted = law(m.dim, m.depth)
            covered = abs(math.log(predicted / m.time)) <= 1.96 * law.spread_at(m.dim, m.depth)
            reach, noise = max(low / size, size / high, 1.0), (m.time_high - m.time_low) / (2 * m.time)
            size_of = m.label, m.order, m.dim, m.depth
            made.append(Prediction(*size_of, predicted, m.time, not low <= size <= high, covered, reach, noise))
    return made


def share(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share by Clopper and Pearson, as if the sizes were independent."""
    low = beta.ppf(0.025, hits, of - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, of - hits) if hits < of else 1.0
    return float(low), float(high)


def reason(p: Prediction) -> str:
    """What a miss goes with, as far as its row and its law can tell."""
    told = []
    if p.outside:
        told.append(f"{p.reach:.3g} times beyond the sizes fitted")
    if p.noise > NOISY:
        told.append(f"its own time is known to ±{p.noise:.0%} only")
    if p.covered:
        told.append("inside its stated interval")
    return ", ".join(told) or "the law bends between the sizes fitted"


def summary(found: list[Prediction]) -> str:
    """The shares within 25 %, inside and outside, quantiles of the error, and the worst misses with reasons."""
    lines = []
    for name, outside in (("inside the measured range", False), ("outside it", True)):
        asked = [p for p in found if p.outside == outside]
        if not asked:
            continue
        errors, hits = [p.error for p in asked], sum(p.error <= WITHIN for p in asked)
        low, high = share(hits, len(asked))
        lines.append(
            f"{name}: {hits} of {len(asked)} sizes within {100 * WITHIN:g} % = {hits / len(asked):.1%} "
            f"(95 % interval {low:.1%} to {high:.1%}); error {np.median(errors):.1%} in the median, "
            f"{np.quantile(errors, 0.9):.1%} at the 90th percentile; "
            f"intervals hold {np.mean([p.covered for p in asked]):.0%}"
        )
    if not lines:
        return "no axis has three sizes or more: nothing can be left out"
    missed = sorted((p for p in found if p.error > WITHIN), key=lambda p: -abs(math.log(p.predicted / p.measured)))
    if missed:
        often = ", ".join(f"{label} {count}" for label, count in Counter(p.label for p in missed).most_common(5))
        lines.append(f"\nmisses by estimator: {often}\nthe worst, as predicted over measured:")
    for p in missed[:WORST]:
        size = f"D {p.dim}, depth {p.depth}, order {p.order}"
        lines.append(f"  {p.predicted / p.measured:6.2f}  {p.label}, {size} ({1e3 * p.measured:.3g} ms): {reason(p)}")
    return "\n".join(lines)


if __name__ == "__main__":
    from bench.store import Store

    arguments = sys.argv[1:]
    path = arguments[arguments.index("--store") + 1] if "--store" in arguments else "results/bench.sqlite"
    with Store(path, must_exist=True) as store:
        print(summary(predictions(store.rows(finished_only=True))))

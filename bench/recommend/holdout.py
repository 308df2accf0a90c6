"""How far predictions are off: every measured size is left out in turn, and predicted from the others.

``python -m bench.recommend.holdout --store PATH`` prints the ratio of predicted to measured step time, inside the
measured range (interpolation) and at its ends (extrapolation). Only laws that keep two values of the axis are asked.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from bench.recommend.fits import time_law
from bench.recommend.measurement import Measurement, measurements
from bench.store.latest import latest


class Prediction(NamedTuple):
    """One size left out."""

    label: str
    dim: int
    depth: int
    predicted: float
    measured: float
    outside: bool
    covered: bool


def predictions(rows: Iterable[Mapping[str, Any]]) -> list[Prediction]:
    """Every measured size, predicted without it: all rows of its dimension left out, then all of its depth."""
    groups: dict[Any, list[Measurement]] = defaultdict(list)
    for m in measurements(latest(rows)):
        if m.measured:
            groups[m.quantity, m.setting, m.label, m.order].append(m)
    found = []
    for group in groups.values():
        for axis in ("dim", "depth"):
            for size in sorted({getattr(m, axis) for m in group}):
                found += _without(group, axis, size)
    return found


def _without(group: list[Measurement], axis: str, size: int) -> list[Prediction]:
    kept = [m for m in group if getattr(m, axis) != size]
    if len({getattr(m, axis) for m in kept}) < 2:
        return []
    law = time_law(kept)
    if law is None:
        return []
    low, high = law.dims if axis == "dim" else law.depths
    made = []
    for m in (m for m in group if getattr(m, axis) == size):
        predicted = law(m.dim, m.depth)
        covered = abs(math.log(predicted / m.time)) <= 1.96 * law.spread_at(m.dim, m.depth)
        made.append(Prediction(m.label, m.dim, m.depth, predicted, m.time, not low <= size <= high, covered))
    return made


def summary(found: list[Prediction]) -> str:
    """Quantiles of the error, inside and outside."""
    lines = []
    for name, outside in (("inside the measured range", False), ("outside it", True)):
        errors = [abs(p.predicted / p.measured - 1) for p in found if p.outside == outside]
        if errors:
            covered = np.mean([p.covered for p in found if p.outside == outside])
            within = np.mean([error <= 0.25 for error in errors])
            lines.append(
                f"{name}: {len(errors)} sizes, error {np.median(errors):.1%} in the median, "
                f"{np.quantile(errors, 0.9):.1%} at the 90th percentile; {within:.0%} within 25 %; "
                f"intervals hold {covered:.0%}"
            )
    return "\n".join(lines) or "no axis has three sizes or more: nothing can be left out"


if __name__ == "__main__":
    from bench.store import Store

    arguments = sys.argv[1:]
    path = arguments[arguments.index("--store") + 1] if "--store" in arguments else "results/bench.sqlite"
    with Store(path, must_exist=True) as store:
        print(summary(predictions(store.rows(finished_only=True))))

"""Target ``smoothed``: held against the quantity without smoothing."""

from __future__ import annotations

from bench.point import ProblemSpec
from bench.references.exact import name
from bench.references.recipe import Recipe


def _label(spec: ProblemSpec, quantity: str) -> str:
    return f"{name(quantity)} without smoothing; the bias shown includes smoothing's own"


SMOOTHED = Recipe(_label)

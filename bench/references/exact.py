"""Targets that are the quantity itself: ``exact`` derivatives, the ``sm`` objective; and those held against it."""

from __future__ import annotations

from bench.point import ProblemSpec
from bench.references.recipe import Recipe


def name(quantity: str) -> str:
    """The quantity's exact value, in words."""
    return {"score_matching": "exact sm", "log_likelihood": "exact mle"}.get(quantity, "exact")


def _with(remark: str) -> Recipe:
    def label(spec: ProblemSpec, quantity: str) -> str:
        return name(quantity) + remark

    return Recipe(label)


EXACT = _with("")
NONE = _with("; the estimator converges to nothing known")

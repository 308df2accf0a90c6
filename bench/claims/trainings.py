"""The training runs of an estimator: one for each seed, small, the same for all that are held against each other."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bench.claims.points import point
from bench.train.training import Training

SEEDS = range(8)
DIGITS: Mapping[str, Any] = MappingProxyType({"dim": 16, "depth": 2, "width": 64, "batch": 64})
"""Sixteen whitened components of digits, two layers of 64: a step is a millisecond."""


def trainings(
    estimator: str,
    *,
    budget_steps: int,
    lr: float = 1e-3,
    marks: int = 6,
    rows: int = 768,
    held_out: int = 256,
    score_points: int = 0,
    **settings: Any,
) -> list[Training]:
    """The runs of an estimator, by Adam, a fixed number of steps, one a seed.

    Args:
        estimator: its name in the registry.
        budget_steps: how many steps.
        lr: the learning rate.
        marks: evaluations after the one before the first step.
        rows: of the training set.
        held_out: rows of the held-out set.
        score_points: points at which the score is held against the true one, where that is known.
        settings: fields of `ProblemSpec`, and options of the estimator.
    """
    points = [point(estimator, draws=16, seed=seed, **settings) for seed in SEEDS]
    return [
        Training(
            each,
            optimiser_options=MappingProxyType({"lr": lr}),
            steps=budget_steps,
            rows=rows,
            held_out=held_out,
            marks=marks,
            score_points=score_points,
        )
        for each in points
    ]

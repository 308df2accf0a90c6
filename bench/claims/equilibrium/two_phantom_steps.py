"""Two differentiable applications of an equilibrium layer after the fixed point: score, trace and gradient apart."""

from typing import Any

from bench.claims.claim import CLOSE, Claim, Finding, Verdict, verdict
from bench.claims.papers import EQUILIBRIUM
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

NORMS = {"deq_frobenius": "Frobenius norm set, as published", "deq": "spectral norm set"}
STEPS, SEEDS = (1, 2, 5), range(5)
SIZE: dict[str, Any] = {"dim": 16, "depth": 8, "width": 64, "batch": 64}


def whole(model: str, steps: int) -> list[Point]:
    """The objective, of five layers that are told to contract by 8/9 in one of two norms."""
    return [point("deq_phantom", steps=steps, model=model, seed=seed, **SIZE) for seed in SEEDS]


def part(model: str, order: int) -> list[Point]:
    """Its score, order one, or what the trace is the sum of, order two, along one direction a row, at two steps."""
    return [point("deq_phantom_directional", order=order, steps=2, model=model, seed=s, **SIZE) for s in SEEDS]


def points() -> list[Point]:
    """One, two and five steps in both norms, and the two parts."""
    objectives = [each for model in NORMS for steps in STEPS for each in whole(model, steps)]
    return [*objectives, *(each for model in NORMS for order in (1, 2) for each in part(model, order))]


def judge(rows: Rows) -> Verdict:
    """Errors at two steps; those at one and five are told."""
    gradient = {(model, steps): rows.typical_error(whole(model, steps)) for model in NORMS for steps in STEPS}
    told = "; ".join(
        f"{words}: {gradient[model, 1]}, {gradient[model, 2]}, {gradient[model, 5]}" for model, words in NORMS.items()
    )
    parts = {
        (what, words): rows.typical_error(part(model, order), "value_bias")
        for order, what in ((1, "score"), (2, "trace"))
        for model, words in NORMS.items()
    }
    return verdict(
        f"The gradient of the objective at one, two and five steps is off by, {told}. At two steps the "
        + "; the ".join(f"{what} is off by {figure} ({words})" for (what, words), figure in parts.items())
        + ".",
        *(Finding(f"gradient error, two steps, {words}", gradient[m, 2], at_most=CLOSE) for m, words in NORMS.items()),
        *(Finding(f"error of the {what}, two steps, {w}", f, at_most=CLOSE) for (what, w), f in parts.items()),
    )


CLAIM = Claim(
    says="Two applications of the layer after its fixed point are enough to differentiate for score matching.",
    paper=EQUILIBRIUM,
    place="published code: two differentiable applications after the solve",
    figure="K = 2",
    known="read",
    measures="Gradient error of the exact objective by deq_phantom with one, two and five steps, and at two the "
    "errors of the score and of the second derivatives (the trace's terms) along one random direction a row: D = 16, "
    "width 64, contraction 8/9, batch 64, float32, typical of five nets.",
    rule=f"Reproduced if gradient, score and second derivatives at K = 2 are within {CLOSE:g} % of the exact ones "
    "under both norms; in part if some are.",
    points=points,
    judge=judge,
)

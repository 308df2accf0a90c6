"""Two differentiable applications of an equilibrium layer after the fixed point: value and gradient apart."""

from typing import Any

from bench.claims.claim import CLOSE, Claim, Finding, Verdict, verdict
from bench.claims.papers import EQUILIBRIUM
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

NORMS = {"deq_frobenius": "Frobenius norm set, as published", "deq": "spectral norm set"}
STEPS, SEEDS = (1, 2, 5), range(5)


def at(model: str, steps: int) -> list[Point]:
    """Five layers that are told to contract by 8/9 in one of two norms."""
    size: dict[str, Any] = {"dim": 16, "depth": 8, "width": 64, "batch": 64}
    return [point("deq_phantom", steps=steps, model=model, seed=seed, **size) for seed in SEEDS]


def points() -> list[Point]:
    """One, two and five steps in both norms."""
    return [each for model in NORMS for steps in STEPS for each in at(model, steps)]


def judge(rows: Rows) -> Verdict:
    """Errors at two steps; those at one and five are told."""
    gradient = {(model, steps): rows.typical_error(at(model, steps)) for model in NORMS for steps in STEPS}
    value = {model: rows.typical_error(at(model, 2), "value_bias") for model in NORMS}
    told = "; ".join(
        f"{words}: {gradient[model, 1]}, {gradient[model, 2]}, {gradient[model, 5]}" for model, words in NORMS.items()
    )
    return verdict(
        f"Gradient errors at one, two and five steps, {told}. The objective's values at two steps are off by "
        f"{value['deq_frobenius']} and {value['deq']}. Rows hold the objective as a whole: score and trace are not "
        "told apart.",
        *(Finding(f"gradient error, two steps, {words}", gradient[m, 2], at_most=CLOSE) for m, words in NORMS.items()),
        *(Finding(f"error of the values, two steps, {words}", value[m], at_most=CLOSE) for m, words in NORMS.items()),
    )


CLAIM = Claim(
    says="Two applications of the layer after its fixed point are enough to differentiate for score matching.",
    paper=EQUILIBRIUM,
    place="published code: two differentiable applications after the solve",
    figure="K = 2",
    known="read",
    measures="Error of gradient and values of the exact objective by deq_phantom with one, two and five steps: D = 16, "
    "width 64, contraction 8/9, batch 64, float32, typical of five nets.",
    rule=f"Reproduced if gradient and values at K = 2 are within {CLOSE:g} % of the exact ones under both norms; in "
    "part if some are.",
    points=points,
    judge=judge,
)

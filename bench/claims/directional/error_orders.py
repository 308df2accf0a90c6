"""The order in which the error of finite differences vanishes with the step, with and without more function values."""

from bench.claims.claim import Claim, Figure, Finding, Verdict, verdict
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

STEPS = (0.04, 0.08, 0.16)
SECOND, RAISED = 1.9, 1.8


def at(eps: float, extra: int) -> Point:
    """Where truncation is all there is: float64."""
    return point(
        "finite_difference", eps=eps, extra=extra, dtype="float64", dim=64, depth=2, activation="tanh", batch=64
    )


def points() -> list[Point]:
    """Three steps with each number of function values."""
    return [at(eps, extra) for extra in (0, 1) for eps in STEPS]


def judge(rows: Rows) -> Verdict:
    """Exponents of the gradient's error."""
    second, fourth = (rows.exponent([at(eps, extra) for eps in STEPS], STEPS, "grad_bias") for extra in (0, 1))
    raised = Figure(fourth.number - second.number, fourth.low - second.high, fourth.high - second.low, "")
    return verdict(
        f"The error of the gradient falls with exponent {second} in ε with three function values, and {fourth} "
        f"with five: {raised} more.",
        Finding("exponent of the error in ε, three values", second, at_least=SECOND),
        Finding("exponent of the error in ε, five values less three", raised, at_least=RAISED),
    )


CLAIM = Claim(
    says="Two function values more than the fewest raise the order in which the error vanishes with the step by two.",
    paper=FINITE_DIFFERENCE,
    place="Theorem 1, with K and K + 1 offsets; the orders are derived, the paper uses K = 1",
    figure="ε² and ε⁴",
    known="recalled",
    measures="Error of the parameter gradient of finite_difference, order 2, ε = 0.04 to 0.16, with three and five "
    "function values, on a tanh mlp, D = 64, depth 2, batch 64, float64.",
    rule=f"Reproduced if the exponent is at least {SECOND:g} with three, and at least {RAISED:g} more with five; in "
    "part if one of the two.",
    points=points,
    judge=judge,
)

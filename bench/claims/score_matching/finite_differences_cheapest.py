"""Finite differences against sliced score matching by double backward, and against Taylor mode: time and gradient."""

from typing import Any

from bench.claims.claim import CLOSE, FASTER, Claim, Finding, Verdict, verdict
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point


def at(estimator: str, **options: Any) -> Point:
    """The published kind of network: five layers and D = 784, at half the width."""
    return point(estimator, dim=784, depth=4, width=512, batch=64, draws=32, **options)


SLICED, TAYLOR, DIFFERENCES = at("ssm"), at("taylor_ssm"), at("fd_ssm", eps=0.1)


def points() -> list[Point]:
    """The three, in one window."""
    return [SLICED, TAYLOR, DIFFERENCES]


def judge(rows: Rows) -> Verdict:
    """Faster than both others, with a gradient as good."""
    sliced, taylor = (rows.time_ratio(other, DIFFERENCES) for other in (SLICED, TAYLOR))
    differences, exact = rows.bias(DIFFERENCES), rows.bias(TAYLOR)
    return verdict(
        f"Double backward takes {sliced} a step of finite differences, Taylor mode {taylor}. Against the sliced "
        f"gradient on the same directions finite differences are off by {differences}, Taylor mode by {exact}.",
        Finding("ssm over fd_ssm, step time", sliced, at_least=FASTER),
        Finding("taylor_ssm over fd_ssm, step time", taylor, at_least=FASTER),
        Finding("gradient bias of fd_ssm, ε = 0.1, float32", differences, at_most=CLOSE),
    )


CLAIM = Claim(
    says="Sliced score matching is cheapest by finite differences, since nothing else avoids the double backward pass, "
    "and its results are those of the derivatives.",
    paper=FINITE_DIFFERENCE,
    place="abstract",
    figure="much more efficient, comparable results",
    known="read",
    measures="Step time and gradient bias of ssm, taylor_ssm and fd_ssm (ε = 0.1, the published default) on an mlp, "
    "D = 784, depth 4, width 512, batch 64, float32.",
    rule=f"Reproduced if both others take at least {FASTER:g} times the time and the gradient of fd_ssm is within "
    f"{CLOSE:g} % of the sliced one; in part if some of the three hold.",
    points=points,
    judge=judge,
)

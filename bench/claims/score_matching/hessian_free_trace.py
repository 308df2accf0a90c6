"""The trace as the rise of f under noise at the published σ: how far off one gradient of the objective is."""

from typing import Any

from bench.claims.claim import Claim, Finding, Verdict, verdict
from bench.claims.papers import SALIENCY
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.claims.score_matching import variance_reduction
from bench.point import Point

WORSE = 2.0


def at(estimator: str, **options: Any) -> Point:
    """The same place for all."""
    return point(estimator, dim=64, depth=2, batch=64, **options)


PUBLISHED = at("taylor_trace_sm", sigma=0.01, form="one_sided")
ANTITHETIC = at("taylor_trace_sm", sigma=0.01, form="antithetic")
SLICED = variance_reduction.at("ssm_vr", "init", "rademacher")


def points() -> list[Point]:
    """The published form, the one with both signs, and second derivatives along one direction."""
    return [PUBLISHED, ANTITHETIC, SLICED]


def judge(rows: Rows) -> Verdict:
    """Error over that of the same objective by a second derivative: noise and bias together."""
    worse = rows.noise_ratio(PUBLISHED, SLICED, "grad_rmse")
    return verdict(
        f"One gradient is off by {worse} the error of ssm_vr; its noise is {rows.noise(PUBLISHED)} of the exact "
        f"gradient. With both signs of the noise it is off by {rows.noise_ratio(ANTITHETIC, SLICED, 'grad_rmse')}.",
        Finding("error of one gradient, taylor_trace_sm one-sided at σ = 0.01 over ssm_vr", worse, at_most=WORSE),
    )


CLAIM = Claim(
    says="The rise of the log-density under noise of σ = 0.01 stands for the Hessian's trace in score matching, "
    "with one sample and no second derivatives.",
    paper=SALIENCY,
    place="published code, with σ = 0.01 and one sample",
    figure="σ = 0.01, one sample",
    known="read",
    measures="Root-mean-square error of one draw of the gradient of taylor_trace_sm (one-sided, σ = 0.01) against the "
    "exact one, over that of ssm_vr, on an mlp, D = 64, depth 2, batch 64, float32.",
    rule=f"Reproduced if it is off by at most {WORSE:g} times as much; not otherwise.",
    points=points,
    judge=judge,
)

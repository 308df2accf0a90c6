"""The trace as the rise of f under noise at the published σ: how noisy the gradient of the objective is."""

from typing import Any

from bench.claims.claim import Claim, Finding, Verdict, verdict
from bench.claims.papers import SALIENCY
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

NOISIER = 2.0


def at(estimator: str, **options: Any) -> Point:
    """The same place for all."""
    return point(estimator, dim=64, depth=2, batch=64, **options)


PUBLISHED = at("taylor_trace_sm", sigma=0.01, form="one_sided")
ANTITHETIC = at("taylor_trace_sm", sigma=0.01, form="antithetic")
SLICED = at("ssm_vr")


def points() -> list[Point]:
    """The published form, the one with both signs, and second derivatives along one direction."""
    return [PUBLISHED, ANTITHETIC, SLICED]


def judge(rows: Rows) -> Verdict:
    """Noise over that of the same objective by a second derivative."""
    noisier = rows.noise_ratio(PUBLISHED, SLICED)
    return verdict(
        f"One gradient has {noisier} the noise of ssm_vr, that is {rows.noise(PUBLISHED)} of the exact gradient; with "
        f"both signs of the noise it has {rows.noise_ratio(ANTITHETIC, SLICED)}.",
        Finding("std of the gradient, taylor_trace_sm one-sided at σ = 0.01 over ssm_vr", noisier, at_most=NOISIER),
    )


CLAIM = Claim(
    says="The rise of the log-density under noise of σ = 0.01 stands for the Hessian's trace in score matching, "
    "with one sample and no second derivatives.",
    paper=SALIENCY,
    place="published code, with σ = 0.01 and one sample",
    figure="σ = 0.01, one sample",
    known="read",
    measures="Standard deviation of one draw of the gradient of taylor_trace_sm (one-sided, σ = 0.01) over that "
    "of ssm_vr, on an mlp, D = 64, depth 2, batch 64, float32.",
    rule=f"Reproduced if it is at most {NOISIER:g} times as noisy; not otherwise.",
    points=points,
    judge=judge,
)

"""XTrace for gradients: whether less noise in the trace is less noise in its parameter gradient."""

from bench.claims.claim import Claim, Verdict, verdict
from bench.claims.laplacian.hutchpp_gradient import MEASURES, RULE, compared, noise, told
from bench.claims.papers import XTRACE
from bench.claims.rows import Rows
from bench.point import Point


def points() -> list[Point]:
    """XTrace beside Hutchinson."""
    return compared("xtrace")


def judge(rows: Rows) -> Verdict:
    """Gradients decide; traces are told."""
    gradients, traces = (noise(rows, "xtrace", column) for column in ("grad_std", "value_std"))
    return verdict(
        f"One draw of the gradient has {told(gradients)} the standard deviation of Hutchinson's, one of the trace "
        f"{told(traces)}.",
        *gradients.values(),
    )


CLAIM = Claim(
    says="XTrace makes more of every matrix-vector product than Hutchinson's estimator; read here for the parameter "
    "gradient, which training sees.",
    paper=XTRACE,
    place="abstract, for traces",
    figure="errors that can be orders of magnitude smaller",
    known="read",
    measures=MEASURES,
    rule=RULE,
    points=points,
    judge=judge,
)

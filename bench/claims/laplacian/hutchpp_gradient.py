"""Hutch++ for gradients: whether less noise in the trace is less noise in its parameter gradient."""

from bench.claims.claim import Claim, Finding, Verdict, verdict
from bench.claims.papers import HUTCHPP
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

LESS = 0.95
PRODUCTS = 12
WHERE = {
    (dim, stage): f"D = {dim}, {words}"
    for dim in (16, 64)
    for stage, words in (("trained", "trained"), ("init", "not trained"))
}


def at(estimator: str, dim: int, stage: str) -> Point:
    """The same number of Hessian-vector products for all."""
    return point(estimator, probes=PRODUCTS, dim=dim, depth=2, stage=stage, batch=32, draws=256)


def compared(estimator: str) -> list[Point]:
    """An estimator and Hutchinson's at every place."""
    return [at(name, *where) for where in WHERE for name in ("hutchinson", estimator)]


def noise(rows: Rows, estimator: str, column: str) -> dict[str, Finding]:
    """A column's standard deviation over Hutchinson's, by the words for the place."""
    quantity = "gradient" if column == "grad_std" else "trace"
    return {
        words: Finding(
            f"std of the {quantity}, {estimator} over hutchinson, {words}",
            rows.noise_ratio(at(estimator, *where), at("hutchinson", *where), column),
            at_most=LESS,
        )
        for where, words in WHERE.items()
    }


def told(findings: dict[str, Finding]) -> str:
    """The figures with their places."""
    return ", ".join(f"{finding.figure} at {words}" for words, finding in findings.items())


def points() -> list[Point]:
    """Hutch++ beside Hutchinson."""
    return compared("hutchpp")


def judge(rows: Rows) -> Verdict:
    """Gradients decide; traces are told."""
    gradients, traces = (noise(rows, "hutchpp", column) for column in ("grad_std", "value_std"))
    return verdict(
        f"One draw of the gradient has {told(gradients)} the standard deviation of Hutchinson's, one of the trace "
        f"{told(traces)}.",
        *gradients.values(),
    )


RULE = (
    f"Reproduced if the standard deviation is at most {LESS:g} of Hutchinson's at both dimensions, trained and not; in "
    "part if at some."
)
MEASURES = (
    f"Standard deviation of one draw with {PRODUCTS} Hessian-vector products, over Hutchinson's with as many "
    "(Rademacher), on a softplus mlp, depth 2, batch 32."
)

CLAIM = Claim(
    says="With as many matrix-vector products Hutch++ is less noisy than Hutchinson's estimator; read here for the "
    "parameter gradient, which training sees.",
    paper=HUTCHPP,
    place="abstract, for traces of positive semi-definite matrices",
    figure="error 1/m instead of 1/√m in m products",
    known="recalled",
    measures=MEASURES,
    rule=RULE,
    points=points,
    judge=judge,
)

"""Composite score matching of an autoregressive model: deterministic, and its cost beside others'."""

from bench.claims.claim import FASTER, Claim, Finding, Verdict, verdict
from bench.claims.papers import COMPOSITE
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

EXACT = 0.1  # per cent of the gradient


def at(estimator: str) -> Point:
    """Conditional scores by masked layers."""
    return point(estimator, model="made", dim=64, depth=2, batch=64, draws=64)


def points() -> list[Point]:
    """Composite, sliced and exact."""
    return [at(name) for name in ("csm", "ssm", "sm_exact")]


def judge(rows: Rows) -> Verdict:
    """Times, and how far off one draw is: its error, which of a deterministic estimator is all there is."""
    sliced, exact = (rows.time_ratio(at(name), at("csm")) for name in ("ssm", "sm_exact"))
    error = rows.bias(at("csm"))
    return verdict(
        f"Sliced score matching of the same model takes {sliced} a step of composite score matching, exact score "
        f"matching {exact}; a sliced draw has a noise of {rows.noise(at('ssm'))}, a composite one has none "
        f"and is off by {error}. Here all three have the same mean, since the model gives the conditional "
        "scores themselves.",
        Finding("ssm over csm, step time", sliced, at_least=FASTER),
        Finding("sm_exact over csm, step time", exact, at_least=FASTER),
        Finding("error of one gradient of csm", error, at_most=EXACT),
    )


CLAIM = Claim(
    says="Composite score matching of autoregressive models needs no projections, so it has no noise of its own, and "
    "scales where exact score matching does not.",
    paper=COMPOSITE,
    place="abstract",
    figure="more scalable",
    known="read",
    measures="Step time of ssm and sm_exact over csm, and the error of one gradient of csm, on made, D = 64, depth 2, "
    "batch 64, float32.",
    rule=f"Reproduced if both others take at least {FASTER:g} times the time and one gradient of csm is within "
    f"{EXACT:g} % of the exact one; in part if some hold.",
    points=points,
    judge=judge,
)

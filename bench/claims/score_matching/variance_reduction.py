"""The squared norm of the score instead of its projection: less noise in the gradient or not."""

from bench.claims.claim import Claim, Finding, Verdict, verdict
from bench.claims.papers import SLICED
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

LESS = 0.95
WHERE = {
    (stage, law): f"{law}, {words}"
    for law in ("gaussian", "rademacher")
    for stage, words in (("trained", "trained"), ("init", "not trained"))
}


def at(estimator: str, stage: str, law: str) -> Point:
    """One projection of a law."""
    return point(estimator, stage=stage, law=law, dim=64, depth=2, batch=64, draws=256)


def points() -> list[Point]:
    """With and without, under two laws."""
    return [at(name, *where) for where in WHERE for name in ("ssm", "ssm_vr")]


def judge(rows: Rows) -> Verdict:
    """The gradient's standard deviation, with over without."""
    found = {words: rows.noise_ratio(at("ssm_vr", *where), at("ssm", *where)) for where, words in WHERE.items()}
    return verdict(
        "With it one draw of the gradient has "
        + ", ".join(f"{figure} ({words})" for words, figure in found.items())
        + " the standard deviation.",
        *(Finding(f"std of the gradient, ssm_vr over ssm, {words}", f, at_most=LESS) for words, f in found.items()),
    )


CLAIM = Claim(
    says="The projected score's square integrates in closed form, and doing so makes sliced score matching less noisy.",
    paper=SLICED,
    place="Section 3, variance reduction",
    figure="less variance",
    known="recalled",
    measures="Standard deviation of one draw of the gradient, ssm_vr over ssm, Gaussian and Rademacher "
    "directions, on an mlp, D = 64, depth 2, batch 64, float32.",
    rule=f"Reproduced if it is at most {LESS:g} of that without under both laws, trained and not; in part if for some.",
    points=points,
    judge=judge,
)

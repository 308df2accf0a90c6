"""One step of sliced and of denoising score matching, each against the exact gradient on the clean data."""

from bench.claims.claim import FASTER, Claim, Finding, Verdict, verdict
from bench.claims.papers import SLICED
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.claims.score_matching import variance_reduction
from bench.point import Point

STAGES = {"trained": "trained", "init": "not trained"}


def sliced(stage: str) -> Point:
    """With Rademacher directions."""
    return variance_reduction.at("ssm", stage, "rademacher")


def denoising(stage: str) -> Point:
    """With the published σ = 0.1."""
    return point("dsm", stage=stage, sigma=0.1, dim=64, depth=2, batch=64, draws=256)


def points() -> list[Point]:
    """Both, trained and not."""
    return [each(stage) for stage in STAGES for each in (sliced, denoising)]


def judge(rows: Rows) -> Verdict:
    """The error of one draw, denoising over sliced."""
    found = {w: rows.noise_ratio(denoising(stage), sliced(stage), "grad_rmse") for stage, w in STAGES.items()}
    errors = {w: 100 * rows.number(sliced(stage), "grad_rmse") for stage, w in STAGES.items()}
    return verdict(
        "The error of one denoising gradient is "
        + ", ".join(f"{figure} ({words})" for words, figure in found.items())
        + " that of a sliced one, which is off by "
        + ", ".join(f"{error:.3g} % ({words})" for words, error in errors.items())
        + " of the exact gradient.",
        *(Finding(f"gradient error, dsm over ssm, {words}", f, at_least=FASTER) for words, f in found.items()),
    )


CLAIM = Claim(
    says="Sliced score matching stays closer to exact score matching than denoising does; read here for the gradient "
    "of one step.",
    paper=SLICED,
    place="experiments on kernel families and NICE",
    figure="better than denoising",
    known="recalled",
    measures="Root-mean-square error of one draw of the gradient against the exact one on the clean data, dsm (σ "
    "= 0.1) over ssm, on an mlp, D = 64, depth 2, batch 64, float32.",
    rule=f"Reproduced if denoising is off by at least {FASTER:g} times as much, trained and not; in part if one "
    "of the two.",
    points=points,
    judge=judge,
)

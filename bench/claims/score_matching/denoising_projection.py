"""Denoising along one random direction: whether its noise eats what finite differences save."""

from bench.claims.claim import FASTER, Claim, Finding, Verdict, verdict
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

STAGES = {"init": "not trained", "trained": "trained"}


def at(estimator: str, stage: str) -> Point:
    """Both denoise at σ = 0.1."""
    return point(estimator, stage=stage, dim=64, depth=2, batch=64, draws=256)


def points() -> list[Point]:
    """The whole score, and its projection by finite differences."""
    return [at(name, stage) for stage in STAGES for name in ("dsm", "fd_dsm")]


def judge(rows: Rows) -> Verdict:
    """Time times variance: what averaging to one accuracy takes."""
    work = {words: rows.work_ratio(at("dsm", stage), at("fd_dsm", stage)) for stage, words in STAGES.items()}
    time = rows.time_ratio(at("dsm", "init"), at("fd_dsm", "init"))
    noise = rows.noise_ratio(at("fd_dsm", "init"), at("dsm", "init"))
    return verdict(
        f"A step of dsm takes {time} the time of one of fd_dsm, whose gradient has {noise} the standard "
        "deviation; to one accuracy by averaging dsm needs "
        + ", ".join(f"{figure} ({words})" for words, figure in work.items())
        + " the time.",
        *(Finding(f"time times variance, dsm over fd_dsm, {words}", f, at_least=FASTER) for words, f in work.items()),
    )


CLAIM = Claim(
    says="Denoising by finite differences along one random direction is the cheaper way to the same result.",
    paper=FINITE_DIFFERENCE,
    place="abstract; the objective FD-DSM, along one direction, in the published code",
    figure="much more efficient, comparable results",
    known="read",
    measures="Step time times variance of one draw of the gradient, dsm over fd_dsm, σ = 0.1, on an mlp, D = 64, "
    "depth 2, batch 64, float32.",
    rule=f"Reproduced if dsm needs at least {FASTER:g} times the time of fd_dsm to average to one accuracy, "
    "trained and not; in part if one of the two.",
    points=points,
    judge=judge,
)

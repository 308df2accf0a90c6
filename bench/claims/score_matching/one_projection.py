"""One random projection a row: whether a second look at a row is worth more than a look at another one."""

from bench.claims.claim import Claim, Finding, Verdict, verdict
from bench.claims.papers import SLICED
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

MORE, AS_DEAR = 4, 0.95
STAGES = {"init": "not trained", "trained": "trained"}


def at(stage: str, probes: int) -> Point:
    """Sliced score matching with so many projections."""
    return point("ssm", stage=stage, probes=probes, dim=64, depth=2, batch=64, draws=256)


def points() -> list[Point]:
    """One projection and four."""
    return [at(stage, probes) for stage in STAGES for probes in (1, MORE)]


def judge(rows: Rows) -> Verdict:
    """Time to one accuracy with fresh batches, four projections over one."""
    work = {words: rows.work_ratio(at(stage, MORE), at(stage, 1), minibatch=True) for stage, words in STAGES.items()}
    time = rows.time_ratio(at("init", MORE), at("init", 1))
    noise, batch = rows.noise(at("init", 1)), 100 * rows.number(at("init", 1), "minibatch_std")
    return verdict(
        f"{MORE} projections take {time} the step of one. With a fresh batch each step they need "
        + ", ".join(f"{figure} ({words})" for words, figure in work.items())
        + f" the time to one accuracy; not trained, one projection puts {noise} of noise into the gradient, the batch "
        f"{batch:.3g} %.",
        *(
            Finding(f"time to one accuracy, {MORE} projections over one, {w}", f, at_least=AS_DEAR)
            for w, f in work.items()
        ),
    )


CLAIM = Claim(
    says="One random projection a row is enough: further ones are not worth their cost.",
    paper=SLICED,
    place="Section 3 and experiments, M = 1",
    figure="M = 1",
    known="recalled",
    measures=f"Step time times the variance of a step with a fresh batch, ssm with {MORE} projections over one, "
    "on an mlp, D = 64, depth 2, batch 64, float32.",
    rule=f"Reproduced if {MORE} projections need at least {AS_DEAR:g} of the time of one to one accuracy, "
    "trained and not; in part if one of the two.",
    points=points,
    judge=judge,
)

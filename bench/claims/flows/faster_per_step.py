"""A step of score matching beside one of maximum likelihood, on the published flow."""

from bench.claims.claim import FASTER, Claim, Finding, Verdict, verdict
from bench.claims.papers import FLOWS
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

OBJECTIVES = ("ssm", "fd_ssm", "dsm")


def at(estimator: str) -> Point:
    """Two dense layers of 784, batches of 100: the published setting, on digits."""
    return point(estimator, model="glow_fc", dim=784, depth=1, batch=100, draws=16)


def points() -> list[Point]:
    """The likelihood and three objectives."""
    return [at(name) for name in ("mle", *OBJECTIVES)]


def judge(rows: Rows) -> Verdict:
    """Step times, likelihood over each."""
    found = {name: rows.time_ratio(at("mle"), at(name)) for name in OBJECTIVES}
    return verdict(
        "A step of likelihood takes " + ", ".join(f"{figure} one of {name}" for name, figure in found.items()) + ".",
        *(Finding(f"mle over {name}, step time", figure, at_least=FASTER) for name, figure in found.items()),
    )


CLAIM = Claim(
    says="A training step of a dense flow by score matching takes less time than one by maximum likelihood.",
    paper=FLOWS,
    place="abstract; experiments on MNIST, fully connected",
    figure="a significant speed-up",
    known="read",
    measures="Step time of mle over ssm, fd_ssm and dsm on glow_fc, digits scaled to D = 784, batch 100, "
    "float32, one CPU thread.",
    rule=f"Reproduced if mle takes at least {FASTER:g} times the time of each; in part if of some.",
    points=points,
    judge=judge,
)

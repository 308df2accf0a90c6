"""Training a dense flow: likelihood in D³, score matching in D²."""

from bench.claims.claim import FASTER, Claim, Finding, Verdict, verdict
from bench.claims.papers import FLOWS
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

SQUARE, CUBE = 2.1, 2.7
DIMS = (256, 512, 1024)


def at(estimator: str, dim: int) -> Point:
    """Two dense layers and a pointwise one between them, in batches small enough for the determinants to show."""
    return point(estimator, model="glow_fc", data="gaussian", dim=dim, depth=1, batch=16, draws=16)


def points() -> list[Point]:
    """Both objectives at every dimension."""
    return [at(estimator, dim) for dim in DIMS for estimator in ("mle", "ssm")]


def judge(rows: Rows) -> Verdict:
    """Exponents of counted operations, over D, and the time at the largest."""
    cube, square = (rows.exponent([at(name, dim) for dim in DIMS], DIMS, "flops_step") for name in ("mle", "ssm"))
    slower = rows.time_ratio(at("mle", DIMS[-1]), at("ssm", DIMS[-1]))
    seconds = [rows.exponent([at(name, dim) for dim in DIMS], DIMS, "time_step_s").number for name in ("mle", "ssm")]
    return verdict(
        f"From D = {DIMS[0]} to {DIMS[-1]} the operations of a likelihood step grow with exponent {cube}, those "
        f"of a sliced step with {square}; its seconds with {seconds[0]:.2f} and {seconds[1]:.2f}. At D = {DIMS[-1]} "
        f"the likelihood takes {slower} the time.",
        Finding("likelihood over sliced score matching, step time, largest D", slower, at_least=FASTER),
        Finding("exponent of operations in D, likelihood", cube, at_least=CUBE),
        Finding("exponent of operations in D, sliced score matching", square, at_most=SQUARE),
    )


CLAIM = Claim(
    says="Score matching of a flow with dense layers costs of order D² a layer and step, where maximum likelihood, "
    "which needs their log-determinants, costs D³.",
    paper=FLOWS,
    place="abstract",
    figure="D²L against D³L",
    known="read",
    measures="Operations and time of a step of mle and ssm on glow_fc (two dense layers), D = 256 to 1024, batch 16, "
    "float32.",
    rule=f"Reproduced if the likelihood's exponent in D is at least {CUBE:g}, score matching's at most {SQUARE:g}, and "
    "the likelihood is slower at the largest D; in part if some hold.",
    points=points,
    judge=judge,
)

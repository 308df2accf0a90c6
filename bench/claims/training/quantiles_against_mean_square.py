"""Whether a score that is wrong in the mean square can be right nearly everywhere."""

import math

import numpy as np

from bench.claims.claim import Claim, Figure, Finding, Verdict, verdict
from bench.claims.figures import typical
from bench.claims.papers import SAMPLES
from bench.claims.rows import Rows
from bench.claims.trainings import trainings
from bench.data.far_mode import WEIGHT

ROWS, DIM, POINTS = 256, 2, 10_000
ACCURATE, APART = 25.0, 10.0  # per cent of the true score's root mean square, times
MADE = trainings(
    "sm_exact",
    budget_steps=300,
    lr=1e-2,
    marks=2,
    rows=ROWS,
    held_out=256,
    score_points=POINTS,
    model="far_mode_minus",
    data="far_mode_plus",
    dim=DIM,
    batch=128,
)


def of_these_points(figure: Figure) -> Figure:
    """Joined with the chance of which points the score is held against, which seeds share.

    The mean square is that of the N·η of them in the far mode, whose number is Poisson's: its root is off by
    1/(2√(Nη)) relative, in the logarithm 1.96 times that at 95 %.
    """
    chance = 1.96 / (2 * math.sqrt(POINTS * WEIGHT))
    low, high = (math.hypot(math.log(end / figure.number), chance) for end in (figure.low, figure.high))
    return Figure(figure.number, figure.number * math.exp(-low), figure.number * math.exp(high), figure.unit)


def judge(rows: Rows) -> Verdict:
    """The error in the mean square over its 0.99-quantile, and the quantile over the score."""
    l2, quantile = (np.array([rows.runs.curve(each, name)[-1] for each in MADE]) for name in ("score_l2", "score_q99"))
    apart = of_these_points(typical(l2 / quantile, "times"))
    size = math.sqrt(DIM)  # of the true score: a standard normal's, but for a share of a thousandth
    accurate, off = typical(100 * quantile / size, "%"), of_these_points(typical(100 * l2 / size, "%"))
    return verdict(
        f"From {ROWS} rows the trained score is off by {off} of the true one in the mean square, {apart} the "
        f"0.99-quantile of its error, which is {accurate}.",
        Finding("error in the mean square over its 0.99-quantile", apart, at_least=APART),
        Finding("0.99-quantile of the error over the true score", accurate, at_most=ACCURATE),
    )


CLAIM = Claim(
    says="Few samples suffice for a score that is accurate except at a small share of points, where its error in the "
    "mean square needs many more.",
    paper=SAMPLES,
    place="abstract; the mixture with a far mode of small weight",
    figure="polylogarithmic against polynomial in the number of samples",
    known="read",
    measures="Root mean square and 0.99-quantile of the error of a score trained by sm_exact from 256 rows of the "
    "paper's mixture (D = 2, a far mode of weight 10⁻³ at 10³, which the model begins with on the wrong side), eight "
    "seeds; at 10 000 points of the mixture, the same for all, whose chance is in the interval.",
    rule=f"Reproduced if the root mean square is at least {APART:g} times the 0.99-quantile, and that at most "
    f"{ACCURATE:g} % of the true score's root mean square; in part if one of the two. How the errors fall with samples "
    "is not measured.",
    runs=lambda: MADE,
    judge=judge,
)

"""Whether function values computed at once on a GPU make the order nearly free."""

from bench.claims.claim import Claim, Verdict, unmeasured
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.rows import Rows


def judge(rows: Rows) -> Verdict:
    """Without a number."""
    return unmeasured(
        "cannot be tested here",
        "Needs a GPU: on one or two CPU cores evaluations at once take as long as one after the other.",
    )


CLAIM = Claim(
    says="Function values are independent, so that on a parallel device a finite-difference step takes hardly "
    "longer at a higher order.",
    paper=FINITE_DIFFERENCE,
    place="figure of time against the order, parallel",
    figure="nearly flat in T",
    known="recalled",
    measures="Step time of finite_difference against the order on a GPU with room for all evaluations.",
    rule="None: nothing here can decide it.",
    points=list,
    judge=judge,
)

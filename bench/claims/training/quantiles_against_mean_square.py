"""Whether a score that is wrong in the mean square can be right nearly everywhere."""

from bench.claims.claim import Claim, Verdict, nothing, unmeasured
from bench.claims.papers import SAMPLES
from bench.claims.rows import Rows


def judge(rows: Rows) -> Verdict:
    """Without a number."""
    return unmeasured(
        "not measured yet",
        "Needs trained scores, whose errors are no columns of a row. A tuned example of a swap of ranks is in "
        "docs/score_errors.md, by python -m bench.figures.score_error_quantiles; it does not say how often one is "
        "met.",
    )


CLAIM = Claim(
    says="Few samples can suffice for a score that is accurate except at a small share of points, where its error "
    "in the mean square needs many more.",
    paper=SAMPLES,
    place="abstract; the mixture with a far mode",
    figure="polylogarithmic against polynomial",
    known="read",
    measures="Mean square, median and quantiles of the error of trained scores where the true one is known.",
    rule="None yet: it will be on the curves, once they are rows.",
    points=nothing,
    judge=judge,
)

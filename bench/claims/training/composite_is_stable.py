"""Whether composite score matching trains where sliced score matching becomes unstable."""

from bench.claims.claim import Claim, Verdict, nothing, unmeasured
from bench.claims.papers import COMPOSITE
from bench.claims.rows import Rows


def judge(rows: Rows) -> Verdict:
    """Without a number."""
    return unmeasured(
        "not measured yet",
        "Needs training curves of made by csm, ssm and dsm over several seeds. What one step costs is in "
        "composite_cheaper.",
    )


CLAIM = Claim(
    says="Autoregressive models train more stably by composite score matching than by earlier score matching.",
    paper=COMPOSITE,
    place="abstract and experiments",
    figure="more stable",
    known="read",
    measures="Training curves of made by csm, ssm and dsm over seeds, divergence counted.",
    rule="None yet: it will be on the curves, once they are rows.",
    points=nothing,
    judge=judge,
)

"""Whether flows are better trained on preprocessed data than through the preprocessing."""

from bench.claims.claim import Claim, Verdict, nothing, unmeasured
from bench.claims.papers import FLOWS
from bench.claims.rows import Rows


def judge(rows: Rows) -> Verdict:
    """Without a number."""
    return unmeasured(
        "not measured yet",
        "Needs training curves of glow_fc and glow_fc_pixels. One step of both is in the sweep flows; denoising at"
        " σ = 0.1 leaves the pixels' domain.",
    )


CLAIM = Claim(
    says="A flow is trained better by matching scores after preprocessing, in logits, than before it, in pixels.",
    paper=FLOWS,
    place="ablation, Table 4",
    figure="after is better",
    known="recalled",
    measures="The likelihood on held-out digits of glow_fc and glow_fc_pixels trained by ssm, fd_ssm and dsm.",
    rule="None yet: it will be on the curves, once they are rows.",
    points=nothing,
    judge=judge,
)

"""Whether models trained by sliced score matching end better than those by denoising."""

from bench.claims.claim import Claim, Verdict, nothing, unmeasured
from bench.claims.papers import SLICED
from bench.claims.rows import Rows


def judge(rows: Rows) -> Verdict:
    """Without a number."""
    return unmeasured(
        "not measured yet",
        "Needs training curves of sm_exact, ssm, ssm_vr and dsm. What one step shows is in sliced_against_denoising.",
    )


CLAIM = Claim(
    says="Models trained by sliced score matching reach a lower score-matching loss than those trained by "
    "denoising, close to those of exact score matching.",
    paper=SLICED,
    place="experiments on kernel families and NICE, Table 1",
    figure="lower test loss",
    known="recalled",
    measures="The exact objective on held-out data after equal training with sm_exact, ssm, ssm_vr and dsm, over "
    "seeds.",
    rule="None yet: it will be on the curves, once they are rows.",
    points=nothing,
    judge=judge,
)

"""Whether noise-conditional score networks trained by finite differences make images as good."""

from bench.claims.claim import Claim, Verdict, unmeasured
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.rows import Rows


def judge(rows: Rows) -> Verdict:
    """Without a number."""
    return unmeasured(
        "cannot be tested here",
        "Needs CIFAR-10, the network that FID is computed with, and days of a GPU.",
    )


CLAIM = Claim(
    says="Noise-conditional score networks trained by finite differences sample images as good as those of denoising.",
    paper=FINITE_DIFFERENCE,
    place="experiments on CIFAR-10 with NCSN",
    figure="comparable FID",
    known="recalled",
    measures="FID of samples on CIFAR-10.",
    rule="None: nothing here can decide it.",
    points=list,
    judge=judge,
)

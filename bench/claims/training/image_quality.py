"""Whether noise-conditional score networks trained by finite differences make images as good."""

from typing import Any

from bench.claims.claim import CLOSE, Claim, Finding, Verdict, untestable
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.rows import Rows
from bench.claims.trainings import DIGITS, trainings

STEPS = 1000
WHERE: dict[str, Any] = {**DIGITS, "model": "score_mlp", "budget_steps": STEPS, "marks": 10}
DIFFERENCES = trainings("fd_ssm_vr", eps=0.1, **WHERE)
DENOISING = trainings("dsm", sigma=0.3, **WHERE)  # the best of the levels of denoising_sigma_in_training


def judge(rows: Rows) -> Verdict:
    """What score networks reach on digits, in the place of images."""
    gap = rows.runs.lowest_gap(DIFFERENCES, DENOISING)
    return untestable(
        "FID needs CIFAR-10, the network that it is computed with, and days of a GPU; none of them is here. What can "
        f"be had: in {STEPS} steps of training a score network on digits the objective stays {gap} of the way down "
        "higher by finite differences than by denoising.",
        Finding("stand-in: finite differences above denoising, lowest objective, digits", gap, at_most=CLOSE),
    )


CLAIM = Claim(
    says="Noise-conditional score networks trained by finite differences sample images as good as those of denoising.",
    paper=FINITE_DIFFERENCE,
    place="experiments on CIFAR-10 with NCSN",
    figure="comparable FID",
    known="recalled",
    measures="FID is not. In its place: the lowest exact objective on held-out digits in training of a score network "
    "with fd_ssm_vr (ε = 0.1) and dsm (σ = 0.3, the best level here), D = 16, depth 2, width 64, float32, Adam, eight "
    "seeds.",
    rule="None: nothing here can decide it. The number stands in for what cannot be had, and decides nothing.",
    runs=lambda: [*DIFFERENCES, *DENOISING],
    judge=judge,
)

"""Whether composite score matching trains more evenly than sliced score matching and denoising."""

from bench.claims.claim import BETTER, Claim, Finding, Verdict, verdict
from bench.claims.papers import COMPOSITE
from bench.claims.rows import Rows
from bench.claims.trainings import trainings

STEPS, RATES = 400, (1e-3, 1e-2)
OTHERS = ("ssm", "dsm")
MADE = {
    (name, lr): trainings(
        name, budget_steps=STEPS, lr=lr, marks=20, held_out=128, model="made", dim=16, depth=2, width=64, batch=64
    )
    for name in ("csm", *OTHERS)
    for lr in RATES
}


def judge(rows: Rows) -> Verdict:
    """Rises of the objective on its way, and runs that end worse than they began."""
    runs = rows.runs
    ended = {name: [runs.ended_well(each) for lr in RATES for each in MADE[name, lr]] for name in ("csm", *OTHERS)}
    gaps = {(name, lr): runs.rises(MADE[name, lr], MADE["csm", lr]) for lr in RATES for name in OTHERS}
    return verdict(
        "On its way the exact objective on held-out rows rises, in shares of the way down, "
        + ", ".join(f"{gap} more with {name} at a rate of {lr:g}" for (name, lr), gap in gaps.items())
        + " than with csm. Of the runs "
        + ", ".join(f"{sum(well)} of {len(well)} end well with {name}" for name, well in ended.items())
        + ".",
        *(
            Finding(f"rises with {n} less those with csm, rate {lr:g}", g, at_least=BETTER)
            for (n, lr), g in gaps.items()
        ),
    )


CLAIM = Claim(
    says="Autoregressive models train more stably by composite score matching than by earlier score matching.",
    paper=COMPOSITE,
    place="abstract",
    figure="more stable",
    known="read",
    measures="Rises of the exact objective on held-out digits between evaluations, all together, over its way down, "
    "and runs that do not end well: made, D = 16, depth 2, by csm, ssm and dsm (σ = 0.1), float32, Adam at two rates, "
    "eight seeds.",
    rule=f"Reproduced if it rises at least {BETTER:g} % of its way more with ssm and with dsm than with csm at both "
    "rates; in part if some hold.",
    runs=lambda: [each for made in MADE.values() for each in made],
    judge=judge,
)

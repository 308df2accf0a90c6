"""Whether flows are better trained by scores of preprocessed data than by scores of pixels."""

from typing import Any

from bench.claims.claim import Claim, Figure, Finding, Verdict, verdict
from bench.claims.papers import FLOWS
from bench.claims.rows import Rows
from bench.claims.runs import Runs
from bench.claims.trainings import trainings
from bench.statistics.mean import mean_interval
from bench.train.training import Training

STEPS, NATS = 300, 1.0
BEFORE, AFTER = "before", "after"
WHERE = {BEFORE: "digits_pixels", AFTER: "digits"}  # the data, which say where the flow's preprocessing is


def at(estimator: str, where: str, **options: Any) -> list[Training]:
    """The same flow, on raw pixels with the preprocessing inside, or on logits."""
    return trainings(
        estimator,
        budget_steps=STEPS,
        marks=3,
        held_out=128,
        model="glow_fc",
        data=WHERE[where],
        dim=64,
        depth=1,
        batch=64,
        **options,
    )


LIKELIHOOD = {where: at("mle", where) for where in WHERE}
SLICED = {where: at("ssm", where) for where in WHERE}
DENOISING = {where: at("dsm", where, sigma=0.1) for where in WHERE}


def above_likelihood(runs: Runs, where: str) -> list[float]:
    """Nats by which −log p on held-out rows ends above that of maximum likelihood, a number each seed.

    Both densities are of the same space, so that a change of variables leaves the difference as it is.
    """
    pairs = zip(SLICED[where], LIKELIHOOD[where], strict=True)
    return [float(runs.curve(ours, "nll")[-1] - runs.curve(theirs, "nll")[-1]) for ours, theirs in pairs]


def judge(rows: Rows) -> Verdict:
    """Nats above maximum likelihood, before less after."""
    above = {where: above_likelihood(rows.runs, where) for where in WHERE}
    worse = [b - a for b, a in zip(above[BEFORE], above[AFTER], strict=True)]
    nats = {words: Figure(*mean_interval(them), "nats") for words, them in {**above, "both": worse}.items()}
    well = {where: sum(map(rows.runs.ended_well, DENOISING[where])) for where in WHERE}
    return verdict(
        f"After {STEPS} steps of sliced score matching −log p on held-out digits is {nats[BEFORE]} above that of "
        f"maximum likelihood when pixels are matched, {nats[AFTER]} when logits are: {nats['both']} more. Of the runs "
        f"of denoising at σ = 0.1 {well[BEFORE]} of {len(DENOISING[BEFORE])} end well before preprocessing, "
        f"{well[AFTER]} after.",
        Finding("−log p above maximum likelihood, before less after", nats["both"], at_least=NATS),
    )


CLAIM = Claim(
    says="A flow is trained better by matching scores after preprocessing, in logits, than before it, in pixels.",
    paper=FLOWS,
    place="ablation, Table 4",
    figure="after is better",
    known="recalled",
    measures="Mean of −log p over held-out digits, above that of the same flow trained by mle in the same space: "
    "glow_fc on digits_pixels and on digits (two dense layers, D = 64) trained by ssm, float32, Adam, eight seeds; and "
    "how many runs of dsm end well.",
    rule=f"Reproduced if it is at least {NATS:g} nat higher before preprocessing than after; not if it is not.",
    runs=lambda: [t for kind in (LIKELIHOOD, SLICED, DENOISING) for where in kind.values() for t in where],
    judge=judge,
)

"""Whether finite differences leave the course of training as it is."""

from bench.claims.claim import CLOSE, Claim, Finding, Verdict, verdict
from bench.claims.figures import apart
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.rows import Rows
from bench.claims.trainings import DIGITS, trainings

IMAGES = {"dim": 196, "depth": 2, "width": 64, "batch": 32, "held_out": 64, "marks": 4}
SETTINGS = {"D = 196": {**IMAGES, "budget_steps": 300}, "D = 16": {**DIGITS, "budget_steps": 600}}
SLICED = {words: trainings("ssm", law="sphere", **where) for words, where in SETTINGS.items()}  # the other's own law
DIFFERENCES = {words: trainings("fd_ssm", eps=0.1, **where) for words, where in SETTINGS.items()}


def judge(rows: Rows) -> Verdict:
    """Where they end, and how they get there."""
    runs = rows.runs
    ends = {words: apart(runs.gap(DIFFERENCES[words], SLICED[words])) for words in SETTINGS}
    courses = {words: apart(runs.course(DIFFERENCES[words], SLICED[words])) for words in SETTINGS}
    return verdict(
        "The exact objective on held-out rows differs, in shares of the way that it comes down with derivatives, by "
        + "; ".join(f"{ends[words]} at the end and {courses[words]} on the way at {words}" for words in SETTINGS)
        + ".",
        *(Finding(f"difference of the objective at the end, {words}", f, at_most=CLOSE) for words, f in ends.items()),
        *(Finding(f"difference on the way, {words}", f, at_most=CLOSE) for words, f in courses.items()),
    )


CLAIM = Claim(
    says="Training by finite differences converges like training by derivatives, in as many steps and to as low a "
    "loss.",
    paper=FINITE_DIFFERENCE,
    place="abstract (comparable results); Section 5, a theorem on convergence",
    figure="comparable results",
    known="read",
    measures="Exact objective on held-out digits during and after training with fd_ssm (ε = 0.1) and ssm on the same "
    "probes, an mlp, D = 16 and 196, depth 2, width 64, float32, Adam, 600 and 300 steps, eight seeds.",
    rule=f"Reproduced if at both dimensions it differs by at most {CLOSE:g} % of its way down, at the end and in the "
    "mean on the way; in part if some hold.",
    runs=lambda: [each for made in (SLICED, DIFFERENCES) for where in made.values() for each in where],
    judge=judge,
)

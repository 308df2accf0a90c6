"""Whether training through two phantom steps ends where training with the exact gradient does."""

from bench.claims.claim import CLOSE, Claim, Finding, Verdict, verdict
from bench.claims.equilibrium.two_phantom_steps import NORMS
from bench.claims.figures import apart
from bench.claims.papers import EQUILIBRIUM
from bench.claims.rows import Rows
from bench.claims.trainings import trainings
from bench.train.training import Training

STEPS, MARKS, COUNTS = 600, 12, (1, 2, 5)


def at(model: str, estimator: str, **options: int) -> list[Training]:
    """A layer that is told to contract by 4/5 in one of two norms."""
    size = {"dim": 16, "depth": 4, "width": 32, "batch": 32}
    return trainings(estimator, budget_steps=STEPS, marks=MARKS, held_out=64, model=model, **size, **options)


EXACT = {model: at(model, "deq_exact") for model in NORMS}
PHANTOM = {(model, count): at(model, "deq_phantom", steps=count) for model in NORMS for count in COUNTS}


def judge(rows: Rows) -> Verdict:
    """Two steps above the exact gradient; one step and five are told."""
    gaps = {(model, count): rows.runs.gap(made, EXACT[model]) for (model, count), made in PHANTOM.items()}
    told = "; ".join(
        f"{words}: " + ", ".join(str(gaps[model, count]) for count in COUNTS) for model, words in NORMS.items()
    )
    return verdict(
        f"After {STEPS} steps of training the exact objective on held-out rows ends above that with the exact "
        f"gradient, with one, two and five phantom steps and in shares of its way down, by, {told}.",
        *(Finding(f"two steps from exact, {words}", apart(gaps[m, 2]), at_most=CLOSE) for m, words in NORMS.items()),
    )


CLAIM = Claim(
    says="Training an equilibrium layer through two applications after its fixed point gives what the exact gradient "
    "gives.",
    paper=EQUILIBRIUM,
    place="published code: two differentiable applications in every experiment",
    figure="K = 2",
    known="read",
    measures="Exact objective on held-out digits after equal training with deq_phantom (K = 1, 2, 5) and deq_exact: D "
    "= 16, width 32, contraction 4/5, float32, Adam, eight seeds.",
    rule=f"Reproduced if with K = 2 it ends within {CLOSE:g} % of its way down, above or below, under both norms; in "
    "part if under one.",
    runs=lambda: [each for made in (*EXACT.values(), *PHANTOM.values()) for each in made],
    judge=judge,
)

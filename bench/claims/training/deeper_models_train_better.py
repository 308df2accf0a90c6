"""Whether equilibrium layers give better models at the memory of shallow ones."""

from bench.claims.claim import Claim, Verdict, nothing, unmeasured
from bench.claims.papers import EQUILIBRIUM
from bench.claims.rows import Rows


def judge(rows: Rows) -> Verdict:
    """Without a number."""
    return unmeasured(
        "not measured yet",
        "Needs training curves of deq by deq_phantom and deq_exact. What one step shows is in two_phantom_steps "
        "and constant_memory.",
    )


CLAIM = Claim(
    says="An equilibrium layer trained with two phantom steps gives a better model than a shallow network in as "
    "much memory.",
    paper=EQUILIBRIUM,
    place="experiments",
    figure="better at comparable cost",
    known="read",
    measures="The exact objective on held-out data of deq by deq_phantom (1, 2, 5 steps) and deq_exact, against time "
    "and memory.",
    rule="None yet: it will be on the curves, once they are rows.",
    points=nothing,
    judge=judge,
)

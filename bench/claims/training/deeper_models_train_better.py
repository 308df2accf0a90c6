"""Whether equilibrium layers give better models than shallow networks in as much memory."""

from bench.claims.claim import BETTER, Claim, Finding, Verdict, verdict
from bench.claims.papers import EQUILIBRIUM
from bench.claims.rows import Rows
from bench.claims.training.two_phantom_steps_train import MARKS, PHANTOM, STEPS
from bench.claims.trainings import trainings

AS_MUCH = 1.1
EQUILIBRIUM_RUNS = PHANTOM["deq", 2]
SHALLOW = trainings(
    "sm_forward", budget_steps=STEPS, marks=MARKS, held_out=64, model="mlp", dim=16, depth=2, width=32, batch=32
)


def judge(rows: Rows) -> Verdict:
    """The lowest objectives on the way, and peaks of a step."""
    gap, memory = (
        rows.runs.lowest_gap(SHALLOW, EQUILIBRIUM_RUNS),
        rows.runs.ratio(EQUILIBRIUM_RUNS, SHALLOW, "peak_step_bytes"),
    )
    sizes = rows.runs.ratio(EQUILIBRIUM_RUNS, SHALLOW, "parameters")
    return verdict(
        f"In {STEPS} steps the exact objective on held-out rows stays {gap} higher with the shallow network, in "
        f"shares of the way down with the equilibrium layer, which holds {memory} the memory in a step and has "
        f"{sizes} the parameters.",
        Finding("shallow above equilibrium, lowest objective", gap, at_least=BETTER),
        Finding("peak memory of a step, equilibrium over shallow", memory, at_most=AS_MUCH),
    )


CLAIM = Claim(
    says="An equilibrium layer, trained through two phantom steps, gives a better model than a shallow network in "
    "about as much memory.",
    paper=EQUILIBRIUM,
    place="abstract",
    figure="more expressive, comparable in computation and memory to shallow networks",
    known="read",
    measures="Lowest exact objective on held-out digits in equal training, and peak memory of a step: deq (width 32, "
    "contraction 4/5) by deq_phantom, K = 2, against an mlp of two layers of 32 by sm_forward; D = 16, float32, Adam, "
    "eight seeds.",
    rule=f"Reproduced if the shallow network stays at least {BETTER:g} % of the way down higher, and the other holds "
    f"at most {AS_MUCH:g} times its memory; in part if one of the two.",
    runs=lambda: [*EQUILIBRIUM_RUNS, *SHALLOW],
    judge=judge,
)

"""Whether finite differences leave the course of training as it is."""

from bench.claims.claim import Claim, Verdict, nothing, unmeasured
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.rows import Rows


def judge(rows: Rows) -> Verdict:
    """Without a number."""
    return unmeasured(
        "not measured yet",
        "Needs training curves of ssm and fd_ssm over several seeds. What one step shows is in published_eps and "
        "any_eps: the bias of the gradient.",
    )


CLAIM = Claim(
    says="Training by finite differences converges like training by derivatives, in as many steps and to as low a "
    "loss.",
    paper=FINITE_DIFFERENCE,
    place="Section 5 (theorem on convergence) and experiments",
    figure="same convergence",
    known="recalled",
    measures="The exact objective on held-out data against steps, with ssm and fd_ssm, over seeds.",
    rule="None yet: it will be on the curves, once they are rows.",
    points=nothing,
    judge=judge,
)

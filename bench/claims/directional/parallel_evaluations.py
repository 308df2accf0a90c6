"""Whether function values computed at once on a GPU make the order nearly free."""

from bench.claims.claim import Claim, Finding, Verdict, untestable
from bench.claims.directional.any_order import ORDERS, at
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.rows import Rows
from bench.point import Point

FLAT = 1.2
LOWEST, HIGHEST = ORDERS[0], ORDERS[-1]
COUNTED = (HIGHEST + 1) / (LOWEST + 1)


def points() -> list[Point]:
    """The lowest order and the highest."""
    return [at("finite_difference", order, "float32") for order in (LOWEST, HIGHEST)]


def judge(rows: Rows) -> Verdict:
    """What an order more takes on one core, where nothing is parallel."""
    lowest, highest = points()
    grown = rows.time_ratio(highest, lowest)
    return untestable(
        "Needs a GPU: a CPU core makes evaluations at once in the time of one after the other. On one core a step of "
        f"order {HIGHEST} takes {grown} one of order {LOWEST}; evaluations are {COUNTED:.3g} times as many.",
        Finding(f"stand-in: step time on one core, order {HIGHEST} over {LOWEST}", grown, at_most=FLAT),
    )


CLAIM = Claim(
    says="Function values are independent, so that on a parallel device a finite-difference step takes hardly "
    "longer at a higher order.",
    paper=FINITE_DIFFERENCE,
    place="figure of time against the order, parallel",
    figure="nearly flat in T",
    known="recalled",
    measures="Step time of finite_difference against the order on a GPU with room for all evaluations is not. In its "
    f"place: order {HIGHEST} over order {LOWEST} on one CPU thread, on a tanh mlp, D = 64, depth 2, batch 64, float32.",
    rule="None: nothing here can decide it. The number stands in for what cannot be had, and decides nothing.",
    points=points,
    judge=judge,
)

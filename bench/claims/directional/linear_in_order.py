"""What an order more costs: finite differences, nested differentiation, and where Taylor mode stands."""

from bench.claims.claim import Claim, Figure, Finding, Verdict, verdict
from bench.claims.directional.any_order import ORDERS, at
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.rows import Rows
from bench.point import Point

LINEAR, EXPONENTIAL, DEARER = 1.1, 1.5, 2.0
LOWEST, HIGHEST = ORDERS[0], ORDERS[-1]


DIFFERENCES = [at("finite_difference", order, "float32") for order in ORDERS]


def points() -> list[Point]:
    """Finite differences at every order, the others at the lowest and the highest."""
    others = [at(name, order, "float32") for order in (LOWEST, HIGHEST) for name in ("nested_reverse", "taylor")]
    return [*DIFFERENCES, *others]


def growth(rows: Rows, estimator: str) -> Figure:
    """The factor that one order more costs in operations, the mean over the orders."""
    ratio = rows.ratio(at(estimator, HIGHEST, "float32"), at(estimator, LOWEST, "float32"), "flops_step").number
    factor = ratio ** (1 / (HIGHEST - LOWEST))
    return Figure(factor, factor, factor, "times")


def judge(rows: Rows) -> Verdict:
    """Operations say how cost grows, times what it comes to."""
    linear = rows.exponent(DIFFERENCES, [order + 1 for order in ORDERS], "flops_step")
    nested = growth(rows, "nested_reverse")
    highest = {name: at(name, HIGHEST, "float32") for name in ("finite_difference", "nested_reverse", "taylor")}
    dearer, taylor = (
        rows.time_ratio(highest[name], highest["finite_difference"]) for name in ("nested_reverse", "taylor")
    )
    return verdict(
        f"At order {HIGHEST} nested reverse mode takes {dearer} the time of finite differences, and Taylor mode, "
        f"which is exact, {taylor}. Operations of finite differences grow with exponent {linear} in T + 1; an "
        f"order more costs nested reverse mode {nested}, Taylor mode {growth(rows, 'taylor')}.",
        Finding(f"nested_reverse over finite_difference, step time, order {HIGHEST}", dearer, at_least=DEARER),
        Finding("exponent of operations in T + 1, finite differences", linear, at_most=LINEAR),
        Finding("operations of one order more, nested reverse mode", nested, at_least=EXPONENTIAL),
    )


CLAIM = Claim(
    says="A directional derivative of order T takes T + 1 function values by finite differences, where nested "
    "differentiation costs exponentially more with every order.",
    paper=FINITE_DIFFERENCE,
    place="Theorem 1, and the figure of time and memory against the order",
    figure="linear against exponential in T",
    known="recalled",
    measures="Operations and step time of finite_difference, nested_reverse and taylor at orders 2, 4 and 6, on a tanh "
    "mlp, D = 64, depth 2, batch 64, float32.",
    rule=f"Reproduced if the operations of finite differences grow with an exponent of at most {LINEAR:g} in T + "
    f"1, those of nested_reverse at least {EXPONENTIAL:g} times an order, and it takes at least {DEARER:g} times "
    f"the time at order {HIGHEST}; in part if some hold.",
    points=points,
    judge=judge,
)

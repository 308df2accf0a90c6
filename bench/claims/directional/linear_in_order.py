"""What an order more costs: finite differences, nested differentiation, and where Taylor mode stands."""

from bench.claims.claim import Claim, Figure, Finding, Verdict, verdict
from bench.claims.directional.any_order import ORDERS, at
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.rows import Rows
from bench.point import Point

LINEAR, EXPONENTIAL, STEADY, DEARER = 1.1, 1.5, 0.95, 2.0
LOWEST, MIDDLE, HIGHEST = ORDERS


DIFFERENCES = [at("finite_difference", order, "float32") for order in ORDERS]


def points() -> list[Point]:
    """All at every order."""
    others = [at(name, order, "float32") for order in ORDERS for name in ("nested_reverse", "taylor")]
    return [*DIFFERENCES, *others]


def growth(rows: Rows, estimator: str, low: int = LOWEST, high: int = HIGHEST) -> Figure:
    """The factor that one order more costs in operations, the mean over the orders between."""
    ratio = rows.ratio(at(estimator, high, "float32"), at(estimator, low, "float32"), "flops_step").number
    factor = ratio ** (1 / (high - low))
    return Figure(factor, factor, factor, "times")


def judge(rows: Rows) -> Verdict:
    """Operations say how cost grows, times what it comes to."""
    linear = rows.exponent(DIFFERENCES, [order + 1 for order in ORDERS], "flops_step")
    first, last = (growth(rows, "nested_reverse", *ends) for ends in ((LOWEST, MIDDLE), (MIDDLE, HIGHEST)))
    share = last.number / first.number  # 1 of an exponential; 0.92^k of (T + 1)^k
    steady = Figure(share, share, share, "times")
    highest = {name: at(name, HIGHEST, "float32") for name in ("finite_difference", "nested_reverse", "taylor")}
    dearer, taylor = (
        rows.time_ratio(highest[name], highest["finite_difference"]) for name in ("nested_reverse", "taylor")
    )
    return verdict(
        f"At order {HIGHEST} nested reverse mode takes {dearer} the time of finite differences, and Taylor mode, "
        f"which is exact, {taylor}. Operations of finite differences grow with exponent {linear} in T + 1; an "
        f"order more costs nested reverse mode {first} up to order {MIDDLE} and {last} beyond, Taylor mode "
        f"{growth(rows, 'taylor', LOWEST, MIDDLE)} and {growth(rows, 'taylor', MIDDLE, HIGHEST)}.",
        Finding(f"nested_reverse over finite_difference, step time, order {HIGHEST}", dearer, at_least=DEARER),
        Finding("exponent of operations in T + 1, finite differences", linear, at_most=LINEAR),
        Finding(f"operations of one order more, nested reverse mode, from order {MIDDLE}", last, at_least=EXPONENTIAL),
        Finding(f"the same over that up to order {MIDDLE}", steady, at_least=STEADY),
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
    f"1, those of nested_reverse at least {EXPONENTIAL:g} times an order from {MIDDLE} to {HIGHEST} and at least "
    f"{STEADY:g} of that from {LOWEST} to {MIDDLE} (a power of the order slows down more), and it takes at least "
    f"{DEARER:g} times the time at order {HIGHEST}; in part if some hold.",
    points=points,
    judge=judge,
)

"""Finite differences of any order: whether their gradient can be used at order two, four and six."""

from bench.claims.claim import CLOSE, Claim, Finding, Verdict, verdict
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

ORDERS, DTYPES, SEEDS = (2, 4, 6), ("float32", "float64"), range(5)


def at(estimator: str, order: int, dtype: str, seed: int = 0) -> Point:
    """A network of tanh layers, the least forgiving smooth ones; each estimator's own best step."""
    return point(estimator, order=order, dtype=dtype, seed=seed, dim=64, depth=2, activation="tanh", batch=64)


def nets(estimator: str, order: int, dtype: str) -> list[Point]:
    """The same on five networks."""
    return [at(estimator, order, dtype, seed) for seed in SEEDS]


def points() -> list[Point]:
    """Finite differences in two precisions, Taylor mode in one."""
    differences = [each for dtype in DTYPES for order in ORDERS for each in nets("finite_difference", order, dtype)]
    return [*differences, *(each for order in ORDERS for each in nets("taylor", order, "float32"))]


def judge(rows: Rows) -> Verdict:
    """The gradient's error at each order."""
    found = {
        (order, dtype): rows.typical_error(nets("finite_difference", order, dtype))
        for dtype in DTYPES
        for order in ORDERS[::-1]
    }
    worst = max(
        (rows.typical_error(nets("taylor", order, "float32")) for order in ORDERS), key=lambda figure: figure.number
    )
    single = ", ".join(f"{found[order, 'float32']} at order {order}" for order in ORDERS)
    double = ", ".join(f"{found[order, 'float64']} at order {order}" for order in ORDERS)
    return verdict(
        f"In float32 the gradient is off by {single}; in float64 by {double}. Taylor mode in float32 is off by at most "
        f"{worst}.",
        *(
            Finding(f"gradient error of finite differences, order {order}, {dtype}", figure, at_most=CLOSE)
            for (order, dtype), figure in found.items()
        ),
    )


CLAIM = Claim(
    says="Function values alone give a directional derivative of any order, with an error that vanishes with the step.",
    paper=FINITE_DIFFERENCE,
    place="abstract; Lemma 1 and Theorem 1",
    figure="any order",
    known="read",
    measures="Error of the parameter gradient of finite_difference at its best step, orders 2, 4 and 6, on a tanh mlp, "
    "D = 64, depth 2, batch 64, typical of five nets.",
    rule=f"Reproduced if it is at most {CLOSE:g} % at every order in float32 and float64; in part if at some.",
    points=points,
    judge=judge,
)

"""Finite differences of any order: whether their gradient can be used at order two, four and six."""

from bench.claims.claim import CLOSE, Claim, Finding, Verdict, verdict
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

ORDERS, DTYPES = (2, 4, 6), ("float32", "float64")


def at(estimator: str, order: int, dtype: str) -> Point:
    """A network of tanh layers, the least forgiving smooth ones; each estimator's own best step."""
    return point(estimator, order=order, dtype=dtype, dim=64, depth=2, activation="tanh", batch=64)


def points() -> list[Point]:
    """Finite differences in two precisions, Taylor mode in one."""
    differences = [at("finite_difference", order, dtype) for dtype in DTYPES for order in ORDERS]
    return [*differences, *(at("taylor", order, "float32") for order in ORDERS)]


def judge(rows: Rows) -> Verdict:
    """The gradient's error at each order."""
    found = {
        (order, dtype): rows.bias(at("finite_difference", order, dtype)) for dtype in DTYPES for order in ORDERS[::-1]
    }
    worst = max((rows.bias(at("taylor", order, "float32")) for order in ORDERS), key=lambda figure: figure.number)
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
    place="Lemma 1 and Theorem 1",
    figure="vanishing error, any order",
    known="recalled",
    measures="Error of the parameter gradient of finite_difference at its best step, orders 2, 4 and 6, on a tanh mlp, "
    "D = 64, depth 2, batch 64.",
    rule=f"Reproduced if it is at most {CLOSE:g} % at every order in float32 and float64; in part if at some.",
    points=points,
    judge=judge,
)

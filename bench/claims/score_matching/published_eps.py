"""ε = 0.1, the published default, in float32: whether it gives the sliced gradient."""

from bench.claims.claim import CLOSE, Claim, Finding, Verdict, verdict
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

DIMS, DTYPES = (64, 784), ("float32", "float64")


def at(dim: int, dtype: str) -> Point:
    """Sliced score matching by finite differences, with the published step."""
    return point("fd_ssm", eps=0.1, dim=dim, depth=2, batch=64, draws=32, dtype=dtype)


def points() -> list[Point]:
    """Two dimensions in two precisions."""
    return [at(dim, dtype) for dtype in DTYPES for dim in DIMS]


def judge(rows: Rows) -> Verdict:
    """The gradient's bias at each."""
    found = {(dim, dtype): rows.bias(at(dim, dtype)) for dtype in DTYPES for dim in DIMS}
    findings = [
        Finding(f"gradient bias, D = {dim}, {dtype}", figure, at_most=CLOSE) for (dim, dtype), figure in found.items()
    ]
    findings.sort(key=lambda finding: "D = 784, float32" not in finding.what)  # the published setting has the headline
    return verdict(
        f"At D = 784 the gradient is off by {found[784, 'float32']} in float32 and {found[784, 'float64']} in float64, "
        f"at D = 64 by {found[64, 'float32']} and {found[64, 'float64']}.",
        *findings,
    )


CLAIM = Claim(
    says="A step of ε = 0.1 is small enough for finite differences to stand for the derivatives, and large enough for "
    "float32.",
    paper=FINITE_DIFFERENCE,
    place="default of the published code",
    figure="ε = 0.1",
    known="read",
    measures="Gradient bias of fd_ssm, from the difference to ssm on the same directions, on an mlp, depth 2, at "
    "D = 64 and 784.",
    rule=f"Reproduced if the bias is at most {CLOSE:g} % at both dimensions in both precisions; in part if at some.",
    points=points,
    judge=judge,
)

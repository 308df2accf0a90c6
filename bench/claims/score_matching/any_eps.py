"""Steps from a tenth of the published one to ten times it: whether the gradient minds."""

from bench.claims.claim import CLOSE, Claim, Finding, Verdict, verdict
from bench.claims.papers import FINITE_DIFFERENCE
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

STEPS, DIMS = (0.01, 0.1, 1.0), (64, 784)


def at(dim: int, eps: float) -> Point:
    """In the precision that is trained in."""
    return point("fd_ssm", eps=eps, dim=dim, depth=2, batch=64, draws=32)


def points() -> list[Point]:
    """Three steps at two dimensions."""
    return [at(dim, eps) for dim in DIMS for eps in STEPS]


def judge(rows: Rows) -> Verdict:
    """The gradient's bias at each."""
    found = {(dim, eps): rows.bias(at(dim, eps)) for dim in DIMS[::-1] for eps in STEPS}
    told = "; ".join(f"at D = {dim} by " + ", ".join(str(found[dim, eps]) for eps in STEPS) for dim in DIMS)
    return verdict(
        f"With ε = 0.01, 0.1 and 1 the gradient is off {told}.",
        *(Finding(f"gradient bias, D = {d}, ε = {eps:g}", figure, at_most=CLOSE) for (d, eps), figure in found.items()),
    )


CLAIM = Claim(
    says="Finite-difference score matching does not mind which step it is given, over orders of magnitude.",
    paper=FINITE_DIFFERENCE,
    place="experiments",
    figure="insensitive to ε",
    known="recalled",
    measures="Gradient bias of fd_ssm at ε = 0.01, 0.1 and 1, from the difference to ssm on the same directions, on an "
    "mlp, depth 2, batch 64, float32, D = 64 and 784.",
    rule=f"Reproduced if the bias is at most {CLOSE:g} % for every ε at both dimensions; in part if for some.",
    points=points,
    judge=judge,
)

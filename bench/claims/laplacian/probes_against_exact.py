"""Random probes against the exact Laplacian: from which dimension on they are the cheaper way to a tolerated error."""

from bench.claims.claim import FASTER, Claim, Figure, Finding, Verdict, verdict
from bench.claims.papers import PROBES
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

DIMS, PROBE_COUNT, TOLERATED = (16, 64, 256, 784), 16, 10.0  # the last in per cent


def exact(dim: int) -> Point:
    """By the forward Laplacian, compressed to the first layer's width where that is smaller."""
    return point("forward_laplacian", dim=dim, data="gaussian", depth=2, batch=32)


def random(dim: int) -> Point:
    """By collapsed Taylor mode along random directions."""
    return point("taylor_hutchinson", probes=PROBE_COUNT, dim=dim, data="gaussian", depth=2, batch=32, draws=64)


def points() -> list[Point]:
    """Both at every dimension."""
    return [each(dim) for dim in DIMS for each in (exact, random)]


def advantage(rows: Rows, dim: int) -> Figure:
    """The time of an exact gradient over that of a random one averaged to the tolerated error, at least one call."""
    times, noise = rows.time_ratio(exact(dim), random(dim)), rows.noise(random(dim))
    calls = [max(1.0, (std / TOLERATED) ** 2) for std in (noise.number, noise.low, noise.high)]
    return Figure(times.number / calls[0], times.low / calls[2], times.high / calls[1], "times")


def judge(rows: Rows) -> Verdict:
    """At every dimension, the largest first."""
    found = {dim: advantage(rows, dim) for dim in DIMS[::-1]}
    return verdict(
        f"To an error of {TOLERATED:g} % of the gradient, over one batch, the exact Laplacian takes "
        + ", ".join(f"{found[dim]} at D = {dim}" for dim in DIMS)
        + f" the time of {PROBE_COUNT} random directions, averaged as often as that takes.",
        *(
            Finding(f"exact over random, time to {TOLERATED:g} %, D = {d}", f, at_least=FASTER)
            for d, f in found.items()
        ),
    )


CLAIM = Claim(
    says="In more than a few dimensions random probes are the way to afford a Laplacian.",
    paper=PROBES,
    place="abstract",
    figure="exact is too dear in high dimension",
    known="read",
    measures=f"Time of forward_laplacian over that of taylor_hutchinson ({PROBE_COUNT} probes) averaged to "
    f"{TOLERATED:g} % of the gradient over one batch, on a softplus mlp, depth 2, width 128, batch 32, float32, D "
    "= 16 to 784.",
    rule=f"Reproduced if exact takes at least {FASTER:g} times the time at every D; in part if at some.",
    points=points,
    judge=judge,
)

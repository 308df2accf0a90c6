"""Memory of an equilibrium layer against its effective depth."""

from bench.claims.claim import Claim, Finding, Verdict, verdict
from bench.claims.papers import EQUILIBRIUM
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

DEPTHS, CONSTANT, HEAVIER = (4, 8, 16), 0.05, 2.0


def at(estimator: str, depth: int) -> Point:
    """A layer that contracts by depth/(depth + 1), so that it takes in proportion to depth to solve."""
    return point(estimator, model="deq", dim=16, depth=depth, width=64, batch=64)


def points() -> list[Point]:
    """Two phantom steps, and the iteration kept."""
    return [at(name, depth) for depth in DEPTHS for name in ("deq_phantom", "deq_unrolled")]


def judge(rows: Rows) -> Verdict:
    """Peaks of a training step."""
    phantom, unrolled = (
        rows.exponent([at(name, depth) for depth in DEPTHS], DEPTHS, "peak_step_bytes")
        for name in ("deq_phantom", "deq_unrolled")
    )
    heavier = rows.ratio(at("deq_unrolled", DEPTHS[-1]), at("deq_phantom", DEPTHS[-1]), "peak_step_bytes")
    return verdict(
        f"The peak of a step grows with exponent {phantom} in the effective depth with two phantom steps, with "
        f"{unrolled} where the iteration is kept, which holds {heavier} as much at depth {DEPTHS[-1]}.",
        Finding("exponent of peak memory in depth, two phantom steps", phantom, at_most=CONSTANT),
        Finding(f"peak memory, unrolled over phantom, depth {DEPTHS[-1]}", heavier, at_least=HEAVIER),
    )


CLAIM = Claim(
    says="The memory that score matching of an equilibrium layer takes does not depend on its effective depth.",
    paper=EQUILIBRIUM,
    place="abstract and Section 4",
    figure="that of a shallow network",
    known="read",
    measures="Peak memory of a step of deq_phantom (two steps) and deq_unrolled on deq, contraction 4/5 to "
    "16/17, D = 16, width 64, batch 64, float32.",
    rule=f"Reproduced if the peak of deq_phantom grows with an exponent of at most {CONSTANT:g} in the depth, and "
    f"deq_unrolled holds at least {HEAVIER:g} times as much at the largest; in part if one of the two.",
    points=points,
    judge=judge,
)

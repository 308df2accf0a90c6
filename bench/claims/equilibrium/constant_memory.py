"""Memory of an equilibrium layer against its effective depth."""

from bench.claims.claim import Claim, Finding, Verdict, verdict
from bench.claims.papers import EQUILIBRIUM
from bench.claims.points import point
from bench.claims.rows import Rows
from bench.point import Point

DEPTHS, CONSTANT, HEAVIER = (4, 8, 16), 1.05, 2.0


def at(estimator: str, depth: int) -> Point:
    """A layer that contracts by depth/(depth + 1), so that it takes in proportion to depth to solve."""
    return point(estimator, model="deq", dim=16, depth=depth, width=64, batch=64)


def points() -> list[Point]:
    """Two phantom steps at the ends, and the iteration kept."""
    return [*(at("deq_phantom", depth) for depth in DEPTHS[::2]), *(at("deq_unrolled", depth) for depth in DEPTHS)]


def judge(rows: Rows) -> Verdict:
    """Peaks of a training step."""
    peak = "peak_step_bytes"
    grown = rows.ratio(at("deq_phantom", DEPTHS[-1]), at("deq_phantom", DEPTHS[0]), peak)
    unrolled = rows.exponent([at("deq_unrolled", depth) for depth in DEPTHS], DEPTHS, peak)
    heavier = rows.ratio(at("deq_unrolled", DEPTHS[-1]), at("deq_phantom", DEPTHS[-1]), peak)
    return verdict(
        f"With two phantom steps the peak of a step at depth {DEPTHS[-1]} is {grown} that at depth {DEPTHS[0]}; where "
        f"the iteration is kept it grows with exponent {unrolled} in the depth, and is {heavier} as much at the "
        "largest.",
        Finding(f"peak memory, depth {DEPTHS[-1]} over {DEPTHS[0]}, two phantom steps", grown, at_most=CONSTANT),
        Finding(f"peak memory, unrolled over phantom, depth {DEPTHS[-1]}", heavier, at_least=HEAVIER),
    )


CLAIM = Claim(
    says="The memory that score matching of an equilibrium layer takes does not depend on its effective depth.",
    paper=EQUILIBRIUM,
    place="abstract",
    figure="that of a shallow network",
    known="read",
    measures="Peak memory of a step of deq_phantom (two steps) and deq_unrolled on deq, contraction 4/5 to "
    "16/17, D = 16, width 64, batch 64, float32.",
    rule=f"Reproduced if the peak of deq_phantom at depth {DEPTHS[-1]} is at most {CONSTANT:g} times that at "
    f"{DEPTHS[0]}, and deq_unrolled holds at least {HEAVIER:g} times as much at the largest; in part if one of the "
    "two.",
    points=points,
    judge=judge,
)

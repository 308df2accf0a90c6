"""The order in which the points of a sweep are worth measuring: what is cheap first, and spread over the sweep.

Points fall into levels, each up to four times as dear as the one before; within a level the problems take turns, a
window's worth of points at a time, and of a problem's points those go first whose estimator was measured least so far.
Every further variant of an estimator on one problem counts as twice as dear. So wherever a run is stopped, every
estimator has been measured at the sizes where it is cheap, beside the others, and what is missing is what is dear.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench.forecast import nominal
from bench.point import Point

LEVEL = 4.0


def groups(points: Iterable[Point]) -> Iterator[list[Point]]:
    """Points that share a problem, a dtype, a device and threads: those can be timed side by side."""
    found: dict[tuple[Any, ...], list[Point]] = {}
    for point in points:
        found.setdefault((point.problem, point.dtype, point.device, point.threads), []).append(point)
    yield from found.values()


def whole(points: Iterable[Point]) -> list[list[Point]]:
    """The groups, those that are cheap in all first."""
    return sorted(groups(points), key=nominal.group_s)


def turns(points: Iterable[Point], size: Callable[[Point], int]) -> list[list[Point]]:
    """The points in the order of their worth, in turns of at most ``size`` points of one group each."""
    found = whole(points)
    levels = [_levels(group) for group in found]
    measured: Counter[str] = Counter()
    ordered: list[list[Point]] = []
    for level in sorted({level for of_group in levels for level in of_group.values()}):
        left = [[i for i in of_group if of_group[i] == level] for of_group in levels]
        while any(left):
            for group, waiting in zip(found, left, strict=True):
                if not waiting:
                    continue
                turn = []
                for _ in range(min(len(waiting), size(group[0]))):
                    i = min(waiting, key=lambda i: (measured[group[i].estimator], i))
                    waiting.remove(i)
                    measured[group[i].estimator] += 1
                    turn.append(group[i])
                ordered.append(turn)
    return ordered


def _levels(group: Sequence[Point]) -> dict[int, int]:
    """The level of each point of a group, by its place."""
    seconds = [nominal.point_s(point) for point in group]
    variants: dict[str, int] = defaultdict(int)
    found = {}
    for i in sorted(range(len(group)), key=lambda i: (seconds[i], i)):
        dear = seconds[i] * 2 ** variants[group[i].estimator]
        found[i] = math.floor(math.log(dear / nominal.POINT_S, LEVEL))
        variants[group[i].estimator] += 1
    return found


def shard(points: Sequence[Point], index: int, count: int) -> list[Point]:
    """The ``index``-th of ``count`` parts, 1-based; points of one problem stay together, so they are timed together.

    The dearest group goes first, each to the part that is cheapest so far, in nominal seconds. Only the list of points
    decides, never a store or a machine's predictions: machines that disagreed would measure a point twice or not at
    all.
    """
    found = list(groups(points))
    seconds = [nominal.group_s(group) for group in found]
    spent, mine = [0.0] * count, []
    for i in sorted(range(len(found)), key=lambda i: (-seconds[i], i)):
        part = min(range(count), key=spent.__getitem__)
        spent[part] += seconds[i]
        if part == index - 1:
            mine.append(i)
    return [point for i in sorted(mine) for point in found[i]]

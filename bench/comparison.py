"""Points side by side: timed in the same rounds, and told apart by an interval and a minimum effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.measure import Bench, timing_cpus
from bench.point import Point
from bench.process.workers import Ended
from bench.statistics.bootstrap import median_interval
from bench.statistics.verdict import FLOOR, LEVEL, Verdict, verdict
from bench.timing import LIVE_WORKERS, Entry, Failed, interleave, round_ratios

ROUNDS = 30
BLOCK_S = 0.03
BUDGET_S = 6.0  # of blocks for one point; slow calls get fewer rounds


@dataclass(frozen=True)
class Compared:
    """One point beside the baseline.

    Attributes:
        point: what was timed.
        median_s: seconds a call, the median of its block medians; None where it failed.
        low_s: the lower end of its 95 % interval.
        high_s: the upper end.
        ratios: its block medians over the baseline's, round by round; empty for the baseline itself.
        verdict: on those ratios; None for the baseline, and where one of the two failed.
        failure: how it failed, empty where it did not.
    """

    point: Point
    median_s: float | None
    low_s: float | None
    high_s: float | None
    ratios: tuple[float, ...] = ()
    verdict: Verdict | None = None
    failure: str = ""


def side_by_side(
    bench: Bench,
    points: Sequence[Point],
    *,
    call: str = "step",
    rounds: int = ROUNDS,
    block_s: float = BLOCK_S,
    level: float = LEVEL,
    floor: float = FLOOR,
    comparisons: int | None = None,
    on_window: Callable[[int, int], None] | None = None,
) -> list[Compared]:
    """Time points against the first one, which takes part in every window, and give verdicts.

    Args:
        bench: the machinery.
        points: the baseline, then the others, all with the same threads.
        call: ``step`` or ``value``.
        rounds: how many rounds, fewer where calls are slow.
        block_s: the length of a block, seconds.
        level: of all verdicts together.
        floor: the smallest relative change that is called one.
        comparisons: how many verdicts are given together; None for one for each point but the first.
        on_window: called with (windows done, windows in all).
    """
    baseline, others = points[0], points[1:]
    comparisons = max(1, len(others)) if comparisons is None else comparisons
    windows = list(_windows(others)) or [[]]
    found: list[Compared] = []
    for index, window in enumerate(windows):
        entries = _timed(bench, [baseline, *window], call, rounds, block_s)
        base, *rest = entries
        if not found:
            found.append(_compared(baseline, base, call))
        for point, entry in zip(window, rest, strict=True):
            ratios = tuple(round_ratios(entry, base, call))
            words = verdict(ratios, level=level, floor=floor, comparisons=comparisons) if ratios else None
            found.append(_compared(point, entry, call, ratios, words))
        if on_window is not None:
            on_window(index + 1, len(windows))
    return found


def _windows(others: Sequence[Point]) -> Iterator[list[Point]]:
    for start in range(0, len(others), LIVE_WORKERS - 1):
        yield list(others[start : start + LIVE_WORKERS - 1])


def _timed(bench: Bench, points: Sequence[Point], call: str, rounds: int, block_s: float) -> list[Entry]:
    cpus = timing_cpus(points[0].threads)
    entries: list[Entry] = []
    try:
        for point in points:
            entry = Entry(bench.worker(point.device, cpus), calls=(call,))
            entries.append(entry)
            try:
                bench.open(entry.worker, point)
            except (Failed, Ended) as failure:
                entry.failure = failure
        interleave(entries, rounds=rounds, block_s=block_s, budget_s=BUDGET_S, timeout_s=bench.limits.timeout_s)
    finally:
        for entry in entries:
            entry.worker.close()
    return entries


def _compared(
    point: Point, entry: Entry, call: str, ratios: tuple[float, ...] = (), words: Verdict | None = None
) -> Compared:
    if entry.failure is not None:
        return Compared(point, None, None, None, failure=f"{entry.failure.outcome}: {entry.failure.reason}")
    return Compared(point, *median_interval(entry.medians[call]), ratios, words)

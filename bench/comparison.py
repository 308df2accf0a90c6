"""Points side by side: timed in the same rounds, and told apart by an interval and a minimum effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from bench.measure import Bench, timing_cpus
from bench.point import Point
from bench.process.workers import Ended
from bench.statistics.bootstrap import median_interval
from bench.statistics.verdict import FLOOR, LEVEL, Verdict, of_launches
from bench.timing import LIVE_WORKERS, Entry, Failed, interleave, round_ratios

ROUNDS = 40  # with each launch
BLOCK_S = 0.012  # the shorter, the more of a noisy neighbour hits both alike: half the scatter of blocks of 30 ms
BUDGET_S = 1.0  # of blocks for one point with one launch; slow calls get fewer rounds
LOOKS = (3, 2, 3)  # launches: further ones only while a verdict is unclear, and each look pays in its level


Launches = tuple[tuple[float, ...], ...]  # ratios, round by round


@dataclass(frozen=True)
class Compared:
    """One point beside the baseline.

    Attributes:
        point: what was timed.
        median_s: seconds a call, the median of its block medians; None where it failed.
        low_s: the lower end of its 95 % interval.
        high_s: the upper end.
        launches: its block medians over the baseline's, round by round, for each launch; empty for the baseline itself.
        verdict: on those ratios; None for the baseline, and where one of the two failed.
        failure: how it failed, empty where it did not.
    """

    point: Point
    median_s: float | None
    low_s: float | None
    high_s: float | None
    launches: Launches = ()
    verdict: Verdict | None = None
    failure: str = ""

    @property
    def ratios(self) -> tuple[float, ...]:
        """Those of all launches, one after the other."""
        return tuple(chain(*self.launches))


@dataclass
class Series:
    """What the launches of one point gave: its block medians, round after round, or how it failed."""

    medians: list[float] = field(default_factory=list)
    failure: Failed | Ended | None = None


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
    planted: float = 0.0,
    on_window: Callable[[int, int], None] | None = None,
) -> list[Compared]:
    """Time points against the first one, which takes part in every window, and give verdicts.

    Args:
        bench: the machinery.
        points: the baseline, then the others, all with the same threads.
        call: ``step`` or ``value``.
        rounds: with each launch of the workers, fewer where calls are slow; see `judge`.
        block_s: the length of a block, seconds.
        level: of all verdicts and looks together.
        floor: the smallest relative change that is called one.
        comparisons: how many verdicts are given together; None for one for each point but the first.
        planted: a known slowdown of all points but the baseline, 0.05 for 5 %, to see whether it is found.
        on_window: called with (windows done, windows in all).
    """
    baseline, others = points[0], points[1:]
    comparisons = max(1, len(others)) if comparisons is None else comparisons
    windows = list(_windows(others)) or [[]]
    found: list[Compared] = []
    for index, window in enumerate(windows):
        (base, *rest), judged = judge(
            [(bench, baseline), *((bench, point) for point in window)],
            [(0, k + 1) for k in range(len(window))],
            call,
            rounds,
            comparisons=comparisons,
            level=level,
            floor=floor,
            block_s=block_s,
            planted=[0.0, *(planted for _ in window)],
        )
        if not found:
            found.append(_compared(baseline, base))
        for point, series, (launches, words) in zip(window, rest, judged, strict=True):
            found.append(_compared(point, series, launches, words))
        if on_window is not None:
            on_window(index + 1, len(windows))
    return found


def _windows(others: Sequence[Point]) -> Iterator[list[Point]]:
    for start in range(0, len(others), LIVE_WORKERS - 1):
        yield list(others[start : start + LIVE_WORKERS - 1])


def judge(
    points: Sequence[tuple[Bench, Point]],
    pairs: Sequence[tuple[int, int]],
    call: str = "step",
    rounds: int = ROUNDS,
    *,
    comparisons: int = 1,
    level: float = LEVEL,
    floor: float = FLOOR,
    block_s: float = BLOCK_S,
    planted: Sequence[float] = (),
) -> tuple[list[Series], list[tuple[Launches, Verdict | None]]]:
    """Time points in the same rounds, with several launches of their workers, and go on while a verdict is unclear.

    Two processes that run one program differ for as long as they live, by where their memory lies: by a per cent and
    more where a step moves much of it. Rounds within one pair of processes cannot average that out, so each look takes
    several new ones, and a change is called one only if most launches show it (`bench.statistics.verdict.of_launches`).

    Args:
        points: each with the machinery that opens it, at most as many as may live at once.
        pairs: places in ``points``, (base, other); a point may be in several.
        call: ``step`` or ``value``.
        rounds: with each launch; there are three, and up to eight while a verdict is unclear.
        comparisons: how many verdicts are given together; each look counts as so many more.
        level: of all of them.
        floor: the smallest relative change that is called one.
        block_s: the length of a block, seconds.
        planted: a known slowdown for each point.

    Returns:
        What each point's launches gave; and for each pair the ratios other/base, round by round, of every launch, and
        the verdict on them. Where one of the two failed in a launch there is neither.
    """
    series = [Series() for _ in points]
    launches: list[list[tuple[float, ...]]] = [[] for _ in pairs]
    words: list[Verdict | None] = [None] * len(pairs)
    asked = {"level": level, "floor": floor, "comparisons": comparisons * len(LOOKS)}
    launched = 0
    for count in LOOKS:
        for _ in range(count):
            if launched and pairs and all(series[a].failure or series[b].failure for a, b in pairs):
                break  # nothing is left to compare
            if launched:
                for bench in {id(bench): bench for bench, _ in points}.values():
                    bench.between_launches()
            entries = _launch(points, call, rounds, block_s, planted, backwards=launched % 2 == 1)
            launched += 1
            for one, entry in zip(series, entries, strict=True):
                one.medians += entry.medians.get(call, [])
                one.failure = one.failure or entry.failure
            for k, (base, other) in enumerate(pairs):
                launches[k].append(tuple(round_ratios(entries[other], entries[base], call)))
        for k, (base, other) in enumerate(pairs):
            failed = series[base].failure is not None or series[other].failure is not None
            words[k] = None if failed else of_launches(launches[k], **asked)  # type: ignore[arg-type]
        if not any(word is not None and word.word == "unclear" for word in words):
            break
    judged: list[tuple[Launches, Verdict | None]] = [
        ((), None) if word is None else (tuple(k), word) for k, word in zip(launches, words, strict=True)
    ]
    return series, judged


def _launch(
    points: Sequence[tuple[Bench, Point]],
    call: str,
    rounds: int,
    block_s: float,
    planted: Sequence[float],
    backwards: bool,
) -> list[Entry]:
    """A new worker for each point, timed in rounds and closed; one that fails says why, in its entry.

    The later of two equal workers was 0.6 % faster at steps that move much memory: every second launch opens them in
    the other order.
    """
    entries: dict[int, Entry] = {}
    places = range(len(points))
    try:
        for k in reversed(places) if backwards else places:
            bench, point = points[k]
            worker = bench.worker(point.device, timing_cpus(point.threads))
            entries[k] = Entry(worker, calls=(call,), planted=planted[k] if planted else 0.0)
            try:
                bench.open(worker, point)
            except (Failed, Ended) as failure:
                entries[k].failure = failure
        timeout_s = min(bench.limits.timeout_s for bench, _ in points)
        interleave(list(entries.values()), rounds=rounds, block_s=block_s, budget_s=BUDGET_S, timeout_s=timeout_s)
    finally:
        for entry in entries.values():
            entry.worker.close()
    return [entries[k] for k in places]


def _compared(point: Point, series: Series, launches: Launches = (), words: Verdict | None = None) -> Compared:
    if series.failure is not None:
        return Compared(point, None, None, None, failure=f"{series.failure.outcome}: {series.failure.reason}")
    return Compared(point, *median_interval(series.medians), launches, words)

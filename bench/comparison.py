"""Points side by side: timed in the same rounds, and told apart by an interval and a minimum effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.measure import DEFAULT_TIMEOUT_S, Bench, timing_cpus
from bench.point import Point
from bench.process.workers import Ended
from bench.statistics.bootstrap import median_interval
from bench.statistics.verdict import FLOOR, LEVEL, Verdict, verdict
from bench.timing import LIVE_WORKERS, Entry, Failed, interleave, round_ratios

ROUNDS = 60
BLOCK_S = 0.012  # the shorter, the more of a noisy neighbour hits both alike: half the scatter of blocks of 30 ms
BUDGET_S = 3.0  # of blocks for one point in one set of rounds; slow calls get fewer rounds
LOOKS = (1, 1, 3)  # sets of rounds: a further one only while a verdict is unclear, and each look pays in its level


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
        rounds: of the first look, fewer where calls are slow; up to five times as many where a verdict stays unclear.
        block_s: the length of a block, seconds.
        level: of all verdicts and looks together.
        floor: the smallest relative change that is called one.
        comparisons: how many verdicts are given together; None for one for each point but the first.
        on_window: called with (windows done, windows in all).
    """
    baseline, others = points[0], points[1:]
    comparisons = max(1, len(others)) if comparisons is None else comparisons
    windows = list(_windows(others)) or [[]]
    found: list[Compared] = []
    for index, window in enumerate(windows):
        base, *rest = opened([(bench, point) for point in (baseline, *window)], call)
        judged = judge(
            [(base, entry) for entry in rest],
            call,
            rounds,
            comparisons=comparisons,
            level=level,
            floor=floor,
            block_s=block_s,
            timeout_s=bench.limits.timeout_s,
            alone=[base],
        )
        if not found:
            found.append(_compared(baseline, base, call))
        for point, entry, (ratios, words) in zip(window, rest, judged, strict=True):
            found.append(_compared(point, entry, call, ratios, words))
        if on_window is not None:
            on_window(index + 1, len(windows))
    return found


def _windows(others: Sequence[Point]) -> Iterator[list[Point]]:
    for start in range(0, len(others), LIVE_WORKERS - 1):
        yield list(others[start : start + LIVE_WORKERS - 1])


def opened(points: Sequence[tuple[Bench, Point]], call: str = "step") -> list[Entry]:
    """A live worker for each point; one that cannot be opened says why, in its failure."""
    entries: list[Entry] = []
    try:
        for bench, point in points:
            entry = Entry(bench.worker(point.device, timing_cpus(point.threads)), calls=(call,))
            entries.append(entry)
            try:
                bench.open(entry.worker, point)
            except (Failed, Ended) as failure:
                entry.failure = failure
    except BaseException:
        _close(entries)
        raise
    return entries


def judge(
    pairs: Sequence[tuple[Entry, Entry]],
    call: str = "step",
    rounds: int = ROUNDS,
    *,
    comparisons: int = 1,
    level: float = LEVEL,
    floor: float = FLOOR,
    block_s: float = BLOCK_S,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    alone: Sequence[Entry] = (),
) -> list[tuple[tuple[float, ...], Verdict | None]]:
    """Time entries in the same rounds, look, and go on while a verdict is unclear; their workers are closed then.

    Args:
        pairs: (base, other); an entry may be in several.
        call: ``step`` or ``value``.
        rounds: of the first look.
        comparisons: how many verdicts are given together; each look counts as so many more.
        level: of all of them.
        floor: the smallest relative change that is called one.
        block_s: the length of a block, seconds.
        timeout_s: the limit of one block.
        alone: entries to time even if they are in no pair.

    Returns:
        The ratios other/base, round by round, and the verdict on them, for each pair; the entries' ``medians`` hold all
        rounds. Without ratios, because one of the two failed, there is no verdict.
    """
    entries = list({id(entry): entry for entry in (*(e for pair in pairs for e in pair), *alone)}.values())
    medians: dict[int, list[float]] = {id(entry): [] for entry in entries}
    ratios: list[list[float]] = [[] for _ in pairs]
    words: list[Verdict | None] = [None] * len(pairs)
    try:
        for factor in LOOKS:
            budget_s = factor * BUDGET_S
            interleave(entries, rounds=factor * rounds, block_s=block_s, budget_s=budget_s, timeout_s=timeout_s)
            for entry in entries:
                medians[id(entry)] += entry.medians.get(call, [])
            for k, (base, other) in enumerate(pairs):
                failed = base.failure is not None or other.failure is not None
                ratios[k] = [] if failed else ratios[k] + round_ratios(other, base, call)
                asked = {"level": level, "floor": floor, "comparisons": comparisons * len(LOOKS)}
                words[k] = verdict(ratios[k], **asked) if ratios[k] else None  # type: ignore[arg-type]
            if not any(word is not None and word.word == "unclear" for word in words):
                break
    finally:
        _close(entries)
    for entry in entries:
        entry.medians[call] = medians[id(entry)]
    return [(tuple(found), word) for found, word in zip(ratios, words, strict=True)]


def _close(entries: Sequence[Entry]) -> None:
    for entry in entries:
        entry.worker.close()


def _compared(
    point: Point, entry: Entry, call: str, ratios: tuple[float, ...] = (), words: Verdict | None = None
) -> Compared:
    if entry.failure is not None:
        return Compared(point, None, None, None, failure=f"{entry.failure.outcome}: {entry.failure.reason}")
    return Compared(point, *median_interval(entry.medians[call]), ratios, words)

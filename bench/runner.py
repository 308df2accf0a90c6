"""Running a list of points: skip what is in the store, measure the rest alone, then time it in windows.

Every row is committed as soon as its point has ended. A point that measured well is committed twice, before and after
it is timed, so a run killed at any moment resumes with what is missing and repeats nothing.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from bench import key, machine, problems
from bench.measure import POINTS_IN_A_WINDOW, Bench, Row
from bench.point import Point
from bench.store import Store


@dataclass
class Watcher:
    """What a run tells whoever watches it; every hook may be left out."""

    on_stage: Callable[[str], None] = lambda text: None
    on_solo: Callable[[Row], None] = lambda row: None
    on_row: Callable[[Row], None] = lambda row: None


@dataclass
class Plan:
    """What a store still lacks of a list of points."""

    todo: dict[str, Point] = field(default_factory=dict)
    solo_done: dict[str, Row] = field(default_factory=dict)
    skips: dict[str, tuple[Point, str]] = field(default_factory=dict)
    retried: set[str] = field(default_factory=set)
    present: int = 0

    def __len__(self) -> int:
        return len(self.todo)


def plan(points: Iterable[Point], skips: Iterable[tuple[Point, str]], store: Store, retry: Sequence[str] = ()) -> Plan:
    """Compare the points with the store: what is to be measured, only timed, written down as skipped, or there."""
    finished = store.finished_keys()
    retried = store.keys_of([*retry, "skipped"])  # what another sweep ruled out, this one may measure
    unfinished = {row["key"]: row for row in store.unfinished()}
    found = Plan()
    for point in points:
        name = key_of(point)
        if name in finished and name not in retried:
            found.present += 1
            continue
        found.todo[name] = point
        if name in finished:
            found.retried.add(name)
        elif name in unfinished and unfinished[name]["outcome"] == "ok":
            found.solo_done[name] = unfinished[name]
    for point, reason in skips:
        if (name := key_of(point)) not in finished:
            found.skips[name] = (point, reason)
    return found


def key_of(point: Point) -> str:
    """The key of a point's row, here and now."""
    return key.key(point, key.estimator_source(point.estimator), machine.hardware_class(point.device))


def run(
    plan: Plan,
    store: Store,
    bench: Bench,
    jobs: int = 1,
    watcher: Watcher | None = None,
    budget_s: float | None = None,
) -> Counter[str]:
    """Measure what a plan still lacks, and commit each row as it comes.

    Args:
        plan: what is to be done.
        store: where rows go.
        bench: the machinery; on an interruption it is closed, which ends all workers.
        jobs: how many points are measured at once in the pass without timing; timing always has the machine to itself.
        watcher: is told what happens.
        budget_s: begin no further problem after so many seconds.

    Returns:
        How many points ended in each outcome.
    """
    watcher = watcher or Watcher()
    outcomes: Counter[str] = Counter()

    def finish(row: Row) -> None:
        store.put(row, finished=True, replace=row["key"] in plan.retried)
        outcomes[row["outcome"]] += 1
        watcher.on_row(row)

    for point, reason in plan.skips.values():
        finish({**bench.identity(point), "outcome": "skipped", "reason": reason, "duration_s": 0.0})
    deadline = time.monotonic() + budget_s if budget_s is not None else math.inf
    executor = ThreadPoolExecutor(jobs, thread_name_prefix="solo")
    try:
        for group in groups(plan.todo.values()):
            if time.monotonic() > deadline:
                break
            _run_group(group, plan, store, bench, executor, jobs, watcher, finish)
    except BaseException:
        bench.close()  # ends the workers, so that threads waiting for them return
        executor.shutdown(wait=True, cancel_futures=True)
        raise
    executor.shutdown()
    return outcomes


def groups(points: Iterable[Point]) -> Iterator[list[Point]]:
    """Points that share a problem, a dtype, a device and threads: those can be timed side by side."""
    found: dict[tuple[Any, ...], list[Point]] = {}
    for point in points:
        found.setdefault((point.problem, point.dtype, point.device, point.threads), []).append(point)
    yield from found.values()


def shard(points: Sequence[Point], index: int, count: int) -> list[Point]:
    """The ``index``-th of ``count`` parts, 1-based; points of one problem stay together, so they are timed together."""
    return [point for i, group in enumerate(groups(points)) if i % count == index - 1 for point in group]


def _run_group(
    points: list[Point],
    plan: Plan,
    store: Store,
    bench: Bench,
    executor: ThreadPoolExecutor,
    jobs: int,
    watcher: Watcher,
    finish: Callable[[Row], None],
) -> None:
    where = f"{points[0].problem.model}, D = {points[0].problem.dim}, depth {points[0].problem.depth}"
    watcher.on_stage(f"{where}: exact references")
    no_reference = _references(points, bench, executor)
    watcher.on_stage(f"{where}: memory and accuracy")
    ready: list[tuple[Point, Row]] = []
    waiting: dict[Future[Row], Point] = {}

    def settle(point: Point, row: Row) -> None:
        if row["outcome"] == "ok":
            store.put(row, finished=False, replace=row["key"] in plan.retried)
            watcher.on_solo(row)
            ready.append((point, row))
        else:
            finish(row)

    side_by_side = at_once(points[0], jobs)
    gate = threading.Semaphore(side_by_side)

    def solo(point: Point) -> Row:
        with gate:
            return bench.solo(point, no_reference.get((point.quantity, point.order, point.target), ""))

    for point in points:
        name = key_of(point)
        if name in plan.solo_done:
            ready.append((point, plan.solo_done[name]))
        else:
            waiting[executor.submit(solo, point)] = point
    crowded: list[Point] = []
    for future in as_completed(waiting):
        row = future.result()
        if row["outcome"] == "out_of_memory" and side_by_side > 1:
            crowded.append(waiting[future])  # perhaps for what its neighbours held: asked again, alone
            continue
        settle(waiting[future], row)
    for point in crowded:
        settle(point, solo(point))
    ready.sort(key=lambda pair: points.index(pair[0]))
    for start in range(0, len(ready), POINTS_IN_A_WINDOW):
        window = ready[start : start + POINTS_IN_A_WINDOW]
        watcher.on_stage(f"{where}: timing {', '.join(point.estimator for point, _ in window)}")
        for row in bench.time([point for point, _ in window], [row for _, row in window]):
            finish(row)


def at_once(point: Point, jobs: int) -> int:
    """How many points of a group are measured side by side: as their threads allow, and one on a GPU.

    A GPU's memory, energy and list of processes belong to all that run on it.
    """
    return 1 if point.device.startswith("cuda") else max(1, jobs // point.threads)


def _references(points: list[Point], bench: Bench, executor: ThreadPoolExecutor) -> dict[tuple[str, int, str], str]:
    """Have every exact reference of a group computed; returns those that cannot be had, with the reason."""
    spec = points[0].problem
    wanted = {(point.quantity, point.order, point.target) for point in points}
    try:
        problems.prepare(spec)
    except (ValueError, OSError) as error:
        return dict.fromkeys(wanted, f"the data cannot be prepared: {error}")
    futures = {
        which: executor.submit(bench.reference, spec, which[0], which[1], which[2], points[0].threads)
        for which in wanted
    }
    reasons = {which: future.result() for which, future in futures.items()}
    return {which: reason for which, reason in reasons.items() if reason}


def default_jobs() -> int:
    """One point a core in the pass without timing."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Running a list of points: skip what is in the store, measure the rest alone, then time it in windows.

Every row is committed as soon as its point has ended. A point that measured well is committed twice, before and after
it is timed, so a run killed at any moment resumes with what is missing and repeats nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from bench import key, machine, problems
from bench.forecast import nominal, order
from bench.forecast.budget import Budget
from bench.measure import Bench, Row
from bench.point import Point, ProblemSpec
from bench.process.workers import dismiss
from bench.solo import Alone, opened, solo, yardstick
from bench.store import Store
from bench.timing import Entry
from bench.window import POINTS_IN_A_WINDOW, opened_anchor, time_window

T = TypeVar("T")
Wanted = tuple[str, int, str, float | None]  # quantity, order, target, and where it decides, sigma
KEPT_WORKERS = 12  # stopped between the pass without timing and their window, which spares starting them anew


@dataclass
class Watcher:
    """What a run tells whoever watches it; every hook may be left out."""

    on_stage: Callable[[str], None] = lambda text: None
    on_begin: Callable[[Sequence[Point]], None] = lambda points: None
    on_solo: Callable[[Row], None] = lambda row: None
    on_row: Callable[[Row], None] = lambda row: None
    on_note: Callable[[str], None] = lambda text: None


class Sink(Protocol):
    """Where a run's rows go: a store, or the way to one."""

    def put(self, row: Row, finished: bool = True, *, replace: bool = False) -> bool:
        """As `Store.put`."""

    def put_many(self, rows: Iterable[tuple[Row, bool]], *, replace: bool = False) -> int:
        """As `Store.put_many`."""


@dataclass
class Plan:
    """What a store still lacks of a list of points."""

    todo: dict[str, Point] = field(default_factory=dict)
    solo_done: dict[str, Row] = field(default_factory=dict)
    skips: dict[str, tuple[Point, str]] = field(default_factory=dict)
    retried: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)  # of all points and skips, those in the store among them
    present: int = 0

    def __len__(self) -> int:
        return len(self.todo)


Classes = Callable[[str], Sequence[str]]  # of a device: the hardware classes of the machines that measure


def plan(
    points: Iterable[Point],
    skips: Iterable[tuple[Point, str]],
    store: Store,
    retry: Sequence[str] = (),
    classes: Classes | None = None,
) -> Plan:
    """Compare the points with the store: what is to be measured, only timed, written down as skipped, or there.

    A point is there when it has a row of any of the ``classes``: unlike machines measure it once, not once each.
    """
    classes = classes or this_machine
    finished = store.finished_keys()
    retried = store.keys_of([*retry, "skipped"])  # what another sweep ruled out, this one may measure
    unfinished = {row["key"]: row for row in store.unfinished()}
    found = Plan()
    for point in points:
        names = [key_of(point, where) for where in classes(point.device)]
        found.keys.update(names)
        there = finished.intersection(names)
        if there - retried:
            found.present += 1
            continue
        found.todo[names[0]] = point
        found.retried |= there
        begun = [name for name in names if name in unfinished and unfinished[name]["outcome"] == "ok"]
        found.solo_done.update((name, unfinished[name]) for name in begun)
    for point, reason in skips:
        names = [key_of(point, where) for where in classes(point.device)]
        found.keys.update(names)
        if not finished.intersection(names):
            found.skips[names[0]] = (point, reason)
    return found


def this_machine(device: str) -> tuple[str]:
    """The one hardware class of a run here."""
    return (machine.hardware_class(device),)


def key_of(point: Point, hardware_class: str | None = None) -> str:
    """The key of a point's row: measured here and now, or on a machine of another class."""
    where = machine.hardware_class(point.device) if hardware_class is None else hardware_class
    return key.key(point, key.estimator_source(point.estimator), where)


def run(
    plan: Plan,
    store: Sink,
    bench: Bench,
    jobs: int = 1,
    watcher: Watcher | None = None,
    budget: Budget | None = None,
    beside: Callable[[str], AbstractContextManager[object]] = lambda device: nullcontext(),
    timed: bool = True,
) -> Counter[str]:
    """Measure what a plan still lacks, and commit each row as it comes.

    Args:
        plan: what is to be done.
        store: where rows go.
        bench: the machinery; on an interruption it is closed, which ends all workers.
        jobs: how many points are measured at once in the pass without timing; timing always has the machine to itself.
        watcher: is told what happens.
        budget: the time there is. With one, problems take turns, what is cheap and new first, and a window is not begun
            that would not end in time; without one, whole problems are measured, the cheap ones first.
        beside: held in the passes without timing, where other runs on this machine time; given the device.
        timed: false leaves timing to a later run; a point that measured well then stays unfinished.

    Returns:
        How many points ended in each outcome.
    """
    executor = ThreadPoolExecutor(jobs + 1, thread_name_prefix="solo")  # one opens the next point meanwhile
    going = _Run(plan, store, bench, executor, jobs, watcher or Watcher(), beside, timed)
    skipped = {"outcome": "skipped", "duration_s": 0.0}
    going.finish(*({**bench.identity(point), **skipped, "reason": reason} for point, reason in plan.skips.values()))
    points = plan.todo.values()
    try:
        if budget is None:
            for group in order.whole(points):
                going.measure(group)
        else:
            for some in order.turns(points, lambda point: max(POINTS_IN_A_WINDOW, at_once(point, jobs))):
                going.measure_within(budget, some)
    except BaseException:
        bench.close()  # ends the workers, so that threads waiting for them return
        executor.shutdown(wait=True, cancel_futures=True)
        raise
    executor.shutdown()
    return going.outcomes


@dataclass
class _Run:
    """One run under way."""

    plan: Plan
    store: Sink
    bench: Bench
    executor: ThreadPoolExecutor
    jobs: int
    watcher: Watcher
    beside: Callable[[str], AbstractContextManager[object]]
    timed: bool
    outcomes: Counter[str] = field(default_factory=Counter)
    no_reference: dict[tuple[ProblemSpec, Wanted], str] = field(default_factory=dict)
    light: set[ProblemSpec] = field(default_factory=set)  # problems so small that one more may be open than is measured

    def finish(self, *rows: Row) -> None:
        """Commit rows that hold all there will be, together: a commit waits for the disk."""
        for again in (False, True):
            some = [(row, True) for row in rows if (row["key"] in self.plan.retried) is again]
            if some:
                self.store.put_many(some, replace=again)
        for row in rows:
            self.outcomes[row["outcome"]] += 1
            self.watcher.on_row(row)

    def measure_within(self, budget: Budget, points: list[Point]) -> None:
        """Measure points of one group if they are likely to end in time."""
        needed_s = self._needed_s(points)
        if not budget.allows(needed_s):
            return
        self.bench.rates(points[0])  # once a run: its second says nothing of the points
        started = time.monotonic()
        left_out_s = self.measure(points, budget)
        budget.learn(needed_s - left_out_s, time.monotonic() - started)

    def _needed_s(self, points: list[Point]) -> float:
        """Nominal seconds of what points of one group still lack."""
        spec, done = points[0].problem, self.plan.solo_done
        alone = [point for point in points if key_of(point) not in done]
        unknown = [point for point in alone if (spec, _wanted(point)[0]) not in self.no_reference]
        timed_only = [point for point in points if key_of(point) in done]
        return nominal.group_s(alone, referenced=unknown) + nominal.window_s(timed_only)

    def measure(self, points: list[Point], budget: Budget | None = None) -> float:
        """Measure the points of one group, a dozen at a time: alone, then in windows beside one anchor.

        A budget is looked at before every window: what cannot be timed any more was measured alone, which is kept.
        Returns the nominal seconds of the windows left out.
        """
        where = f"{points[0].problem.model}, D = {points[0].problem.dim}, depth {points[0].problem.depth}"
        self.watcher.on_stage(f"{where}: exact references")
        device = points[0].device
        with self.beside(device):
            no_reference = self._references(points)
        base: Entry | None = None
        left_out_s = 0.0
        for some in _parts(points, max(KEPT_WORKERS, at_once(points[0], self.jobs))):
            self.watcher.on_stage(f"{where}: memory and accuracy")
            with self.beside(device):
                ready = self._alone(some, no_reference)
            for window in _parts(ready, POINTS_IN_A_WINDOW):
                window_s = nominal.window_s(alone.point for alone in window)
                if budget is not None and not budget.allows(window_s):
                    dismiss([alone.worker for alone in window if alone.worker is not None])
                    left_out_s += window_s
                    continue
                self.watcher.on_begin([alone.point for alone in window])
                self.watcher.on_stage(f"{where}: timing {', '.join(alone.point.estimator for alone in window)}")
                if base is not None and base.failure is not None:
                    base.worker.close()
                    base = None
                base = base or opened_anchor(self.bench, window[0].point)
                self.finish(*time_window(self.bench, window, base))
        if base is not None:
            base.worker.close()
        return left_out_s

    def _alone(self, points: list[Point], no_reference: dict[Wanted, str]) -> list[Alone]:
        """The pass without timing, as many at once as there are jobs; returns those to be timed, in their order."""
        side_by_side = at_once(points[0], self.jobs)
        gate, places = threading.Semaphore(side_by_side), threading.Semaphore(KEPT_WORKERS)
        ready: list[Alone] = []

        def measure(point: Point) -> Alone:
            exact, noised = (no_reference.get(wanted, "") for wanted in _wanted(point))
            light = point.problem in self.light
            beforehand = opened(self.bench, point, yardstick(exact, noised)) if light else None  # while others go on
            with gate:
                self.watcher.on_begin([point])
                keep = self.timed and places.acquire(blocking=False)
                alone = solo(self.bench, point, exact, keep, noised, beforehand)
            if alone.light:
                self.light.add(point.problem)
            return alone

        def settle(alone: Alone) -> None:
            if alone.row["outcome"] == "ok":
                self.store.put(alone.row, finished=False, replace=alone.row["key"] in self.plan.retried)
                self.watcher.on_solo(alone.row)
                ready.append(alone)
            else:
                self.finish(alone.row)

        done = self.plan.solo_done
        ready += [Alone(point, self._taken_up(done[name])) for point in points if (name := key_of(point)) in done]
        waiting = [self.executor.submit(measure, point) for point in points if key_of(point) not in done]
        crowded: list[Point] = []
        for future in as_completed(waiting):
            alone = future.result()
            if alone.row["outcome"] == "out_of_memory" and side_by_side > 1:
                crowded.append(alone.point)  # perhaps for what its neighbours held: asked again, alone
            else:
                settle(alone)
        for point in crowded:
            settle(measure(point))
        return sorted(ready, key=lambda alone: points.index(alone.point)) if self.timed else []

    def _taken_up(self, row: Row) -> Row:
        """A row that was begun before, perhaps on another machine: this one's now, since its times will be."""
        if row["machine"] == self.bench.machine:
            return row
        return {**row, "machine": self.bench.machine, "extra": {**(row["extra"] or {}), "begun_on": row["machine"]}}

    def _references(self, points: list[Point]) -> dict[Wanted, str]:
        """Have every exact reference of a group computed, once a run; returns those that cannot be had, with why."""
        spec = points[0].problem
        every = {wanted for point in points for wanted in _wanted(point)}
        new = [wanted for wanted in every if (spec, wanted) not in self.no_reference]
        try:
            problems.prepare(spec)
        except (ValueError, OSError) as error:
            return dict.fromkeys(every, f"the data cannot be prepared: {error}")
        gate = threading.Semaphore(self.jobs)

        def reference(wanted: Wanted) -> str:
            with gate:
                return self.bench.reference(spec, *wanted[:3], points[0].threads, wanted[3])

        futures = {wanted: self.executor.submit(reference, wanted) for wanted in new}
        self.no_reference |= {(spec, wanted): future.result() for wanted, future in futures.items()}
        return {wanted: why for wanted in every if (why := self.no_reference[spec, wanted])}


def _parts(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def at_once(point: Point, jobs: int) -> int:
    """How many points of a group are measured side by side: as their threads allow, and one on a GPU.

    A GPU's memory, energy and list of processes belong to all that run on it.
    """
    return 1 if point.device.startswith("cuda") else max(1, jobs // point.threads)


def _wanted(point: Point) -> tuple[Wanted, Wanted]:
    """The references a point is held against: its target's, and of a denoising objective that at rows noised alike."""
    sigma = point.options.get("sigma")
    exact = (point.quantity, point.order, point.target, sigma if point.target == "smoothed" else None)
    return exact, (point.quantity, point.order, "smoothed", sigma) if point.target == "dsm" else exact


def default_jobs() -> int:
    """One point a core in the pass without timing."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

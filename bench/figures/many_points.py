"""Ten thousand cheap points through the real runner: what one costs beside its kernel, and whether anything grows.

``python -m bench.figures.many_points`` runs 32 points a problem (finite differences at 29 steps, sliced score matching
at three laws), at one job, as `run` does, and prints (wall − kernel)/points, the pace of the first and the last
quarter, and what the coordinator's and the fork-server's resident memory gain a thousand points: a least-squares line
through samples after the first fifth, in which caches fill (SQLite's own pages, 2 MiB, take some 500 points, and 1500
with ``--no-time``, so shorter runs show that). Kernel is as in `bench.figures.overhead`; exact references,
anchors and starting are overhead here. The same command with ``--store`` goes on where it was stopped, and then tells
of the points that it measured itself. A point takes 0.6 s, most of it kernel: 10 000 take nearly two hours, and with
``--no-time`` ten minutes.

Wanted: overhead at most 60 ms a point, memory flat, every row there once.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
import psutil
from scipy import stats

import estimators
from bench import cache, runner
from bench.measure import Bench, Limits, Row
from bench.point import Point, ProblemSpec
from bench.store import Store

STEPS = tuple(float(eps) for eps in np.geomspace(1e-3, 1.0, 29))
LAWS = ("rademacher", "gaussian", "sphere")
A_PROBLEM = len(STEPS) + len(LAWS)
WARMING = 0.2  # of the points, before memory is looked at
EVERY = 8  # points between samples of memory


def points(count: int) -> list[Point]:
    """So many points, `A_PROBLEM` to a problem, that differ in their seeds."""
    variants = [("fd_ssm", {"eps": eps}) for eps in STEPS] + [("ssm", {"law": law}) for law in LAWS]
    found = []
    for index in range(count):
        name, options = variants[index % A_PROBLEM]
        spec = ProblemSpec(data="gaussian", dim=16, depth=1, width=16, batch=16, seed=index // A_PROBLEM)
        estimator = estimators.get(name)
        every = {**estimator.options, **options}
        found.append(Point(name, estimator.quantity, spec, 2, every, draws=16, target=estimator.target))
    return found


@dataclass
class Progress:
    """Samples of memory over points, and their pace, told while they come."""

    total: int
    started: float = field(default_factory=time.perf_counter)
    done_at_s: list[float] = field(default_factory=list)
    kernel_s: float = 0.0
    samples: list[tuple[int, int, int]] = field(default_factory=list)  # points, coordinator's bytes, fork-server's
    outcomes: dict[str, int] = field(default_factory=dict)

    def row(self, row: Row) -> None:
        """One point has ended."""
        self.done_at_s.append(time.perf_counter() - self.started)
        self.kernel_s += row["extra"].get("kernel_s", 0.0)
        self.outcomes[row["outcome"]] = self.outcomes.get(row["outcome"], 0) + 1
        count = len(self.done_at_s)
        if count % EVERY == 0:
            self.samples.append((count, *_resident_bytes()))
        if count % max(1, self.total // 20) == 0:
            left_s = self.done_at_s[-1] / count * (self.total - count)
            held = " and ".join(f"{size / 2**20:.1f}" for size in self.samples[-1][1:]) if self.samples else "?"
            click.echo(f"{count} of {self.total} points, {left_s:.0f} s left, {held} MiB", err=True)

    def tell(self) -> None:
        """Print what the points cost and what grew."""
        count, wall_s = len(self.done_at_s), self.done_at_s[-1]
        words = ", ".join(f"{number} {outcome}" for outcome, number in self.outcomes.items())
        click.echo(f"{count} points ({words}) in {wall_s:.1f} s, {self.kernel_s:.1f} s of it kernel")
        click.echo(f"overhead: {1000 * (wall_s - self.kernel_s) / count:.1f} ms a point (wanted: at most 60)")
        if (quarter := count // 4) > 0:
            first, last = self.done_at_s[quarter - 1], wall_s - self.done_at_s[-quarter - 1]
            each = [1000 * seconds / quarter for seconds in (first, last)]
            click.echo(f"pace: {each[0]:.0f} ms a point in the first quarter, {each[1]:.0f} in the last")
        for place, name in ((1, "coordinator"), (2, "fork-server")):
            late = [sample for sample in self.samples if sample[0] > WARMING * count]
            if len(late) > 2:
                fit = stats.linregress([sample[0] for sample in late], [sample[place] / 2**20 for sample in late])
                half = stats.t.ppf(0.975, len(late) - 2) * np.nan_to_num(fit.stderr)  # NaN where nothing changed at all
                click.echo(
                    f"{name}: {late[-1][place] / 2**20:.1f} MiB, {1000 * fit.slope:+.3f} ± {1000 * half:.3f} MiB "
                    "a thousand points (wanted: flat)"
                )


def _resident_bytes() -> tuple[int, int]:
    """Of this process, and of the fork-server, its child that has lived longest."""
    this = psutil.Process()
    children = sorted(this.children(), key=lambda child: child.create_time())
    with contextlib.suppress(psutil.Error):
        return this.memory_info().rss, children[0].memory_info().rss if children else 0
    return this.memory_info().rss, 0


@contextlib.contextmanager
def _folder(store: Path | None) -> Iterator[Path]:
    """The store's path, beside it a cache of references of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        path = store or Path(temporary) / "many.sqlite"
        os.environ[cache.ENVIRONMENT_VARIABLE] = str(path.with_suffix(".cache"))
        yield path


@click.command()
@click.option("--points", "count", type=click.IntRange(A_PROBLEM), default=10_000, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True)
@click.option("--store", "path", type=click.Path(dir_okay=False, path_type=Path), help="Keep the rows, and go on.")
@click.option("--no-time", is_flag=True, help="The pass without timing alone, as `run --no-time`.")
@click.option("--trace", is_flag=True, help="Say which lines' memory grew most, which slows the coordinator down.")
def main(count: int, jobs: int, path: Path | None, no_time: bool, trace: bool) -> None:
    """Measure COUNT cheap points and print what they cost."""
    wanted = points(count)
    with _folder(path) as kept, Store(kept) as store:
        plan = runner.plan(wanted, [], store)
        if no_time:
            plan.todo = {name: point for name, point in plan.todo.items() if name not in plan.solo_done}
        click.echo(f"{len(plan)} points to measure, {count - len(plan)} are there", err=True)
        progress = Progress(len(plan))
        early: list[tracemalloc.Snapshot] = []

        def on_row(row: Row) -> None:
            progress.row(row)
            if trace and not early and len(progress.done_at_s) > WARMING * len(plan):
                tracemalloc.start()
                early.append(tracemalloc.take_snapshot())

        if len(plan):
            with Bench(Limits.of_this_machine(), predict=False) as bench:
                watcher = runner.Watcher(on_row=on_row)
                if no_time:
                    watcher.on_solo = on_row
                runner.run(plan, store, bench, jobs, watcher, timed=not no_time)
            if early:
                for line in tracemalloc.take_snapshot().compare_to(early[0], "lineno")[:12]:
                    click.echo(f"  {line}")
            progress.tell()
        keys = [row["key"] for row in (store.unfinished() if no_time else store.endings())]
        complete = len(keys) == len(set(keys)) == count and set(keys) == plan.keys
        click.echo(f"rows: {len(keys)} for {count} points, " + ("each once" if complete else "NOT each once"))
        if not complete:
            raise SystemExit(1)


if __name__ == "__main__":
    main()

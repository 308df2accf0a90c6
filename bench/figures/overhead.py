"""What the harness itself costs a point: (wall − kernel)/points, with isolation, time, memory and accuracy.

``python -m bench.figures.overhead`` measures cheap points and counts as kernel the seconds inside the calls that give
its numbers: the draws of the accuracy pass, in the row's dtype, of its pair and in float64, and the calls of estimator
and anchor while they are warmed up and timed. Processes, profiling, FLOPs, statistics, messages and the store are
overhead. Starting the run and the exact references, once a problem, are reported apart.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click

from bench import problems, references, runner
from bench.measure import Bench, Limits
from bench.point import Point, ProblemSpec
from bench.solo import solo
from bench.store import Store

SPEC = ProblemSpec(dim=16, depth=1, width=16, batch=16)
ESTIMATORS = ("ssm", "fd_ssm", "dsm")


@click.command()
@click.option("--points", "count", type=click.IntRange(3), default=48, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True)
def main(count: int, jobs: int) -> None:
    """Measure COUNT cheap points and print the overhead of one."""
    import estimators

    problems.prepare(SPEC)
    references.load_or_compute(SPEC, "score_matching", 2, "sm")
    references.load_or_compute(SPEC, "score_matching", 2, "dsm")
    references.load_or_compute(SPEC, "score_matching", 2, "smoothed", estimators.get("dsm").options["sigma"])
    points = [
        Point(name, "score_matching", SPEC, 2, dict(e.options), draws=16 * (1 + i // len(ESTIMATORS)), target=e.target)
        for i in range(count)
        for name in [ESTIMATORS[i % len(ESTIMATORS)]]
        for e in [estimators.get(name)]
    ]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "overhead.sqlite") as store:
        started = time.perf_counter()
        with Bench(Limits.of_this_machine(), predict=False) as bench:
            solo(bench, replace(points[0], draws=16))
            bench.rates(points[0])
            ready_s = time.perf_counter() - started
            started = time.perf_counter()
            runner.run(runner.plan(points, [], store), store, bench, jobs)
            wall_s = time.perf_counter() - started
        rows = list(store.rows(finished_only=True))
    if any(row["outcome"] != "ok" for row in rows):
        raise SystemExit(f"not every point ended ok: {[row['reason'] for row in rows if row['outcome'] != 'ok'][:3]}")
    kernel_s = sum(row["extra"]["kernel_s"] for row in rows)
    click.echo(f"{len(rows)} points in {wall_s:.2f} s, {kernel_s:.2f} s of it kernel; {ready_s:.2f} s until ready")
    click.echo(f"overhead: {1000 * (wall_s - kernel_s) / len(rows):.1f} ms a point")


if __name__ == "__main__":
    main()

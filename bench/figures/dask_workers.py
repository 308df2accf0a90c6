"""What a second local Dask worker gives: points an hour of two over those of one, on accuracy and memory passes.

``python -m bench.figures.dask_workers`` measures one list of points, without timing, on one worker and on two, each
with one point at a time, in turns: one, two, two, one. Starting the workers is not counted; their fork-servers are warm
and the references are computed before. Timing passes are left out: they have a machine to themselves whatever the
number of workers. Wanted: at least 1.8 on two free cores.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

import estimators
from bench import runner
from bench.cluster import coordinator
from bench.cluster.connect import connected
from bench.cluster.crew import Crew
from bench.cluster.settings import Settings
from bench.point import Point, ProblemSpec
from bench.store import Store

ESTIMATORS = ("sm_exact", "ssm", "taylor_ssm", "fd_ssm", "dsm")
SETTINGS = Settings(timeout_s=60.0, jobs=1, predict=False, timed=False)


def points(seeds: Sequence[int]) -> list[Point]:
    """Five points on a problem of each seed."""
    made = []
    for seed in seeds:
        spec = ProblemSpec(dim=64, depth=2, width=128, batch=64, seed=seed)
        for one in map(estimators.get, ESTIMATORS):
            draws = 512 if one.stochastic else 1
            made.append(Point(one.name, "score_matching", spec, 2, dict(one.options), draws=draws, target=one.target))
    return made


@click.command()
@click.option("--problems", type=click.IntRange(4), default=24, show_default=True, help="Of five points each.")
def main(problems: int) -> None:
    """Measure the same points on one and on two workers, and print the ratio of points an hour."""
    wanted = points(range(1, problems + 1))
    rates: dict[int, list[float]] = {1: [], 2: []}
    _per_hour(2, wanted, wanted)  # every reference is computed and kept
    for workers in (1, 2, 2, 1):
        rates[workers].append(_per_hour(workers, points(range(1001, 1001 + workers)), wanted))
        click.echo(f"{workers} worker{'s' * (workers > 1)}: {rates[workers][-1]:.0f} points an hour")
    ratio = statistics.median(rates[2]) / statistics.median(rates[1])
    click.echo(f"two over one: {ratio:.2f} (wanted 1.8)")


def _per_hour(workers: int, first: list[Point], wanted: list[Point]) -> float:
    """Points an hour, after ``first`` have warmed every worker up."""
    with connected(f"local:{workers}") as client:
        crew = Crew(client, SETTINGS, frozenset({"cpu"}))
        crew.assemble()
        _measure(first, crew)
        took_s = _measure(wanted, crew)
    return 3600.0 * len(wanted) / took_s


def _measure(some: list[Point], crew: Crew) -> float:
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "workers.sqlite") as store:
        started = time.perf_counter()
        coordinator.run(runner.plan(some, [], store, classes=crew.classes), store, crew)
        took_s = time.perf_counter() - started
        rows = list(store.rows())
    if len(rows) != len(some) or any(row["outcome"] != "ok" for row in rows):
        raise SystemExit("not every point ended ok")
    return took_s


if __name__ == "__main__":
    main()

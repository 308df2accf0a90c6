"""What a second Dask worker gives: points an hour of two over those of one, on accuracy and memory passes.

``python -m bench.figures.dask_workers`` measures one list of points, without timing, each worker one point at a time:
on one slot, on the other, on both, and on one worker that has both slots' cores, forth and back. A slot is what
``--dask local:2`` starts: a worker on its half of this machine's cores. Starting the workers is not counted; their
fork-servers are warm and the references are computed before. Timing passes are left out: they have a machine to
themselves whatever the number of workers.

Two ratios are printed:

- **Two slots over one**, each on the same share of the cores. The wanted 1.8 is judged on this one: it says what
  adding a worker adds: on a cluster a worker comes with cores of its own and takes none from those that are there. One
  slot gets its rate with a core to spare for scheduler and coordinator, two slots share theirs with them, so what the
  cluster costs by itself lowers the ratio.
- **Two slots over one worker with all the cores.** Measuring one point at a time, that one already uses more than one
  core: the process of the next point rehearses on a second while a point is measured, and so do foreman, scheduler and
  coordinator. On two cores this ratio is what is gained by cutting a machine in two, and can be no more than 2 over the
  cores that the one keeps busy, which are printed.

Beside both stand the processor's seconds a point, which other work on the machine changes little: of the points' own
processes with their fork-server, of the foremen, of the Dask workers, and of scheduler and coordinator. From them
alone follows the highest ratio that two slots of one core each could reach: twice the seconds that one slot's processes
take, over all seconds that a point takes with two.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

import estimators
from bench import runner
from bench.cluster import coordinator
from bench.cluster.connect import connected
from bench.cluster.crew import Crew
from bench.cluster.settings import Settings
from bench.cluster.slots import shares
from bench.point import Point, ProblemSpec
from bench.store import Store

ESTIMATORS = ("sm_exact", "ssm", "taylor_ssm", "fd_ssm", "dsm")
SETTINGS = Settings(timeout_s=60.0, jobs=1, predict=False, timed=False)
KINDS = ("points", "foremen", "Dask workers", "coordinator")


@dataclass(frozen=True)
class Pass:
    """One list of points, measured: by the wall, and by the processor for each kind of process."""

    points: int
    wall_s: float
    cpu_s: Counter[str]

    @property
    def per_hour(self) -> float:
        """Points an hour."""
        return 3600.0 * self.points / self.wall_s

    def per_point(self, *kinds: str) -> float:
        """Processor seconds of kinds of processes a point."""
        return sum(self.cpu_s[kind] for kind in kinds) / self.points

    def __str__(self) -> str:
        parts = ", ".join(f"{kind} {1e3 * self.per_point(kind):.0f}" for kind in KINDS)
        busy = sum(self.cpu_s.values()) / self.wall_s
        return f"{self.per_hour:.0f} points an hour; ms of processor a point: {parts}; {busy:.2f} cores busy"


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
    """Measure the same points on one slot, on two and on an undivided machine, and print ratios of points an hour."""
    wanted = points(range(1, problems + 1))
    a, b = shares(2)
    layouts = {"slot 1 alone": [a], "slot 2 alone": [b], "two slots": [a, b], "one worker, all cores": [[*a, *b]]}
    passes: dict[str, list[Pass]] = {name: [] for name in layouts}
    measured([a, b], wanted, wanted)  # every reference is computed and kept
    for name in (*layouts, *reversed(layouts)):
        workers = len(layouts[name])
        passes[name].append(measured(layouts[name], points(range(1001, 1001 + workers)), wanted))
        click.echo(f"{name}: {passes[name][-1]}")
    two, whole = passes["two slots"], passes["one worker, all cores"]
    one = passes["slot 1 alone"] + passes["slot 2 alone"]
    click.echo(f"two slots over one slot: {_rate(two) / _rate(one):.2f} points an hour (wanted 1.8)")
    click.echo(f"two slots over one worker with all the cores: {_rate(two) / _rate(whole):.2f}")
    if len(a) == 1:
        alone_s = statistics.median(each.per_point(*KINDS[:3]) for each in one)
        all_s = statistics.median(each.per_point(*KINDS) for each in two)
        click.echo(f"two slots over one slot, at most by the processor's seconds: {2 * alone_s / all_s:.2f}")


def _rate(passes: Sequence[Pass]) -> float:
    return statistics.median(each.per_hour for each in passes)


def measured(parts: Sequence[Sequence[int]], first: list[Point], wanted: list[Point]) -> Pass:
    """Points on a worker for each part of the cores, after ``first`` have warmed every worker up."""
    with connected(f"local:{len(parts)}", parts) as client:
        crew = Crew(client, SETTINGS, frozenset({"cpu"}))
        crew.assemble()
        try:
            _measure(first, crew)
            before_s = _cpu_s()
            took_s = _measure(wanted, crew)
            return Pass(len(wanted), took_s, _cpu_s() - before_s)
        finally:
            crew.dismiss()


def _measure(some: list[Point], crew: Crew) -> float:
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "workers.sqlite") as store:
        started = time.perf_counter()
        coordinator.run(runner.plan(some, [], store, classes=crew.classes), store, crew)
        took_s = time.perf_counter() - started
        rows = list(store.rows())
    for row in rows:
        if row["outcome"] != "ok":
            raise SystemExit(f"{row['estimator']} ended {row['outcome']}: {row['reason']}")
    if len(rows) != len(some):
        raise SystemExit(f"{len(some) - len(rows)} points have no row")
    return took_s


def _cpu_s() -> Counter[str]:
    """Processor seconds so far of this process and of all below it, those that have ended among them."""
    here = psutil.Process()
    found: Counter[str] = Counter()
    for process in (here, *here.children(recursive=True)):
        try:
            kind = "coordinator" if process == here else _kind(" ".join(process.cmdline()))
            times = process.cpu_times()
        except psutil.Error:  # a point's process that ended meanwhile: its fork-server has its seconds
            continue
        found[kind] += times.user + times.system
        if kind == "points":  # the fork-server's ended children
            found[kind] += times.children_user + times.children_system
    return found


def _kind(command: str) -> str:
    return "points" if "bench.process" in command else "foremen" if "bench.cluster" in command else "Dask workers"


if __name__ == "__main__":
    main()

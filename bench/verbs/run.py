"""Measure the points of a sweep that the store lacks."""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.columns import OUTCOMES
from bench.verbs._account import closing, left, opening
from bench.verbs._progress import PointProgress

if TYPE_CHECKING:
    from bench.cluster.crew import Crew
    from bench.cluster.settings import Settings
    from bench.point import Point


def _outcomes(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    words = tuple(word.strip() for word in (value or "").split(",") if word.strip())
    for word in words:
        if word not in OUTCOMES:
            raise click.BadParameter(f"no outcome called {word!r}; allowed: {', '.join(OUTCOMES)}")
    return words


def _shard(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", value)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise click.BadParameter(f"a shard is I/N with 1 <= I <= N, for example 3/10; got {value!r}")
    return int(match[1]), int(match[2])


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    from bench.cluster.connect import check_address

    if value is not None:
        try:
            check_address(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    return value


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)", value)
    if not match:
        raise click.BadParameter(f"a budget is a number with s, m or h, for example 90s or 2h; got {value!r}")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


@click.command()
@click.argument("sweep")
@click.option(
    "--store",
    "store_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where rows go. [results/bench.sqlite]",
)
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file of estimators to measure beside ours.",
)
@click.option("--problem", "problem_files", multiple=True, type=click.Path(path_type=Path), help="A file of problems.")
@click.option("--jobs", type=click.IntRange(1), help="Points at once in the pass without timing. [all cores]")
@click.option(
    "--dask", callback=_address, metavar="ADDRESS", help="Measure on a Dask cluster; local:N starts N workers here."
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds a point may take.",
)
@click.option(
    "--memory-limit",
    "memory_gib",
    type=click.FloatRange(0, min_open=True),
    help="GiB a point may hold. [4/5 of the machine]",
)
@click.option("--retry", callback=_outcomes, metavar="OUTCOME,…", help="Measure again what ended so.")
@click.option(
    "--fail-on", callback=_outcomes, metavar="OUTCOME,…", help="Exit with 1 if a point of the sweep ended so."
)
@click.option("--shard", callback=_shard, metavar="I/N", help="The I-th of N parts; whole problems each.")
@click.option(
    "--budget",
    "budget_s",
    callback=_seconds,
    metavar="TIME",
    help="Stop after 90s, 20m or 2h, with what is cheap and new done first; the same command goes on.",
)
@click.option("--no-predict", is_flag=True, help="Leave the memory prediction out.")
@click.option("--no-time", is_flag=True, help="Leave timing to a later run.")
def run(
    sweep: str,
    store_path: Path | None,
    plugins: tuple[Path, ...],
    problem_files: tuple[Path, ...],
    jobs: int | None,
    dask: str | None,
    timeout_s: float,
    memory_gib: float | None,
    retry: tuple[str, ...],
    fail_on: tuple[str, ...],
    shard: tuple[int, int] | None,
    budget_s: float | None,
    no_predict: bool,
    no_time: bool,
) -> None:
    """Measure the points of SWEEP that the store lacks: a shipped sweep's name, or a TOML file."""
    from bench import machine, runner
    from bench.forecast import order
    from bench.forecast.budget import Budget
    from bench.measure import Bench, Limits
    from bench.store import DEFAULT_PATH, Store
    from bench.sweep import load

    budget = Budget(budget_s) if budget_s is not None else None
    plan_of = load(sweep)
    points, skips = plan_of.points(*plugins, problems=problem_files), plan_of.skips
    if shard is not None:
        points, skips = order.shard(points, *shard), skips if shard[0] == 1 else []
    every = [*points, *(point for point, _ in skips)]
    files = [*map(str, plugins)], [*map(str, problem_files)]
    with ExitStack() as opened:
        store = opened.enter_context(Store(store_path or DEFAULT_PATH))
        if store.recovered:
            click.echo(store.recovered, err=True)
        crew = None
        if dask is not None:
            from bench.cluster.settings import Settings

            memory_bytes = int(memory_gib * 2**30) if memory_gib else None
            settings = Settings(timeout_s, memory_bytes, jobs, not no_predict, not no_time, *files)
            crew = opened.enter_context(_crew(dask, settings, every))
        classes = crew.classes if crew is not None else runner.this_machine
        plan = runner.plan(points, skips, store, retry, classes)
        click.echo(opening(plan_of.title, plan, store), err=True)
        started = time.monotonic()
        if len(plan) or plan.skips:
            seeds = {point.problem.seed for point in points}
            command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
            store.begin_run(plan_of.title, command, json.dumps(machine.fingerprint()), machine.commit(), seeds)
            try:
                with PointProgress(plan) as watcher:
                    if crew is not None:
                        from bench.cluster import coordinator

                        coordinator.run(plan, store, crew, watcher, budget)
                    else:
                        limits = Limits.of_this_machine(timeout_s, memory_gib)
                        with Bench(limits, *files, not no_predict) as bench:
                            some = jobs or runner.default_jobs()
                            runner.run(plan, store, bench, some, watcher, budget, timed=not no_time)
            except KeyboardInterrupt:
                click.echo(
                    f"\nstopped; everything measured is in {store.path}; the same command goes on from here", err=True
                )
                raise SystemExit(130) from None
        names = {name: {name} for name in plan.todo}
        if crew is not None:  # a row is keyed by the class of the machine that measured it
            names = {name: {runner.key_of(p, where) for where in classes(p.device)} for name, p in plan.todo.items()}
        keys = plan.keys.union(*names.values())
        endings = [row for row in store.endings() if row["key"] in keys]
        closing(endings, store, time.monotonic() - started)
        done = {row["key"] for row in endings}
        if missing := [point for name, point in plan.todo.items() if not names[name] & done]:
            workers = len(crew.members) if crew is not None else 1
            click.echo(left(missing, budget, not no_time, workers), err=True)
        if any(row["outcome"] in fail_on for row in endings):
            raise SystemExit(1)


@contextmanager
def _crew(address: str, settings: Settings, points: Sequence[Point]) -> Iterator[Crew]:
    from bench.cluster.connect import connected

    with connected(address) as client:
        from bench.cluster.crew import Crew

        devices, threads = frozenset(p.device for p in points), max((p.threads for p in points), default=1)
        crew = Crew(client, settings, devices, threads)
        try:
            for line in crew.assemble():
                click.echo(line, err=True)
            count = len(crew.members)
            click.echo(f"{count} worker{'s' * (count > 1)} at {address}", err=True)
            yield crew
        finally:
            crew.dismiss()

"""Train with each estimator: the exact loss against steps and seconds, and the time to a target loss."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.verbs._progress import TrainingProgress
from bench.verbs.run import _outcomes

if TYPE_CHECKING:
    from collections import Counter

    from bench.store import Store
    from bench.train.runner import Plan


@click.command()
@click.argument("sweep")
@click.option(
    "--store",
    "store_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where runs go. [results/bench.sqlite]",
)
@click.option(
    "--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="A file of estimators to train too."
)
@click.option("--problem", "problem_files", multiple=True, type=click.Path(path_type=Path), help="A file of problems.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=3600.0,
    show_default=True,
    help="Seconds a run may take, evaluations and all.",
)
@click.option(
    "--memory-limit",
    "memory_gib",
    type=click.FloatRange(0, min_open=True),
    help="GiB a run may hold. [4/5 of the machine]",
)
@click.option("--retry", callback=_outcomes, metavar="OUTCOME,…", help="Make again the runs that ended so.")
def train(
    sweep: str,
    store_path: Path | None,
    plugins: tuple[Path, ...],
    problem_files: tuple[Path, ...],
    timeout_s: float,
    memory_gib: float | None,
    retry: tuple[str, ...],
) -> None:
    """Make the training runs of SWEEP that the store lacks: train_quick, or another of the train_ sweeps, or a file."""
    from bench import machine
    from bench.measure import Bench, Limits
    from bench.store import DEFAULT_PATH, Store
    from bench.train import runner
    from bench.train.sweep import load

    files = tuple(map(str, plugins)), tuple(map(str, problem_files))
    asked = load(sweep, *files)
    for point, reason in asked.skips:
        click.echo(f"left out: {point.label}: {reason}", err=True)
    with Store(store_path or DEFAULT_PATH) as store:
        if store.recovered:
            click.echo(store.recovered, err=True)
        plan, started = runner.plan(asked.trainings, store, retry), time.monotonic()
        there = f", {plan.present} are in {store.path} already" if plan.present else ""
        click.echo(f"{asked.title}\n{len(plan.todo)} runs to make{there}", err=True)
        if plan.todo:
            seeds = {training.point.problem.seed for training in asked.trainings}
            command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
            store.begin_run(asked.title, command, json.dumps(machine.fingerprint()), machine.commit(), seeds)
            try:
                with (
                    TrainingProgress(plan, store) as on_mark,
                    Bench(Limits.of_this_machine(timeout_s, memory_gib), *files) as b,
                ):
                    runner.run(plan, store, b, asked.title, on_mark)
            except KeyboardInterrupt:
                click.echo(
                    f"\nstopped; every evaluation made is in {store.path}; the same command goes on from the last one",
                    err=True,
                )
                raise SystemExit(130) from None
        _closing(store, plan, time.monotonic() - started)


def _closing(store: Store, plan: Plan, spent_s: float) -> None:
    from collections import Counter

    runs = [run for name in plan.keys if (run := store.training_run(name)) is not None]
    outcomes: Counter[str] = Counter(run["outcome"] for run in runs)
    words = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    click.echo(f"{words or 'no runs'} in {store.path} ({spent_s:.0f} s)", err=True)
    for run in [run for run in runs if run["reason"]][:10]:
        reason = " ".join(str(run["reason"]).split())[:160]
        click.echo(f"  {run['outcome']}: {run['estimator']} seed {run['seed']}: {reason}", err=True)
    click.echo(f"next: python -m reports build --store {store.path}, whose training.html draws them", err=True)

"""How far `plan` is off on points it has not seen: predicted peak memory and step time against measured ones.

``python -m bench.figures.plan_accuracy`` measures the sweep `quick` (or ``--sweep NAME``) into a store of its own (or
``--store PATH``, which keeps it, and goes on from it) and prints the share of points whose peak memory is predicted
within 10 % and whose step time within 30 %. Memory comes from tracing alone, which no measurement enters. For times
every dimension and every depth is left out in turn, for all estimators at once; rates are learnt from the others, and
the points left out are predicted. Another line is for rates alone, as where a store has no rows yet. Then this machine
is described in words, from those rates, as ``plan --device`` reads them, and predicted as a described one: what of that
path a CPU can check. The last line is for whole points: their seconds in all, as ``plan`` adds them up.
``--memory`` measures peaks only: no times, no gradients, and the same answer on any machine.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import psutil

from bench import problems, runner
from bench.forecast import nominal
from bench.forecast.device import Device, describe
from bench.forecast.learned import Learned
from bench.forecast.step_time import StepTime, by_rates
from bench.forecast.traced import traced
from bench.measure import Bench, Limits
from bench.meters.prediction import Prediction
from bench.meters.rates import Rates
from bench.point import Point
from bench.predict import on
from bench.recommend.holdout import share
from bench.solo import solo
from bench.store import Store
from bench.sweep import load

MEMORY_WITHIN, TIME_WITHIN = 0.10, 0.30
WORST = 6
Measured = tuple[Point, Mapping[str, Any]]
Work = Mapping[str, Prediction]  # by the point's line


class Guess(NamedTuple):
    """A prediction, what was measured, of which point, and whether the interval held it, if there is one."""

    predicted: float
    measured: float
    label: str
    covered: bool | None = None

    @property
    def error(self) -> float:
        """|predicted / measured − 1|."""
        return abs(self.predicted / self.measured - 1)


def work_of(points: Sequence[Point], bench: Bench, jobs: int) -> dict[str, Prediction]:
    """What the step of each point comes to, where that can be predicted."""
    with ThreadPoolExecutor(jobs) as executor:
        found = executor.map(lambda point: traced(point, bench), points)
        return {point.to_json(): one.work for point, one in zip(points, found, strict=True) if one.work is not None}


def memory(measured: Iterable[Measured], work: Work) -> list[Guess]:
    """Predicted and measured peaks of a step."""
    return [
        Guess(work[line].peak_bytes, row["peak_step_bytes"], point.label)
        for point, row in measured
        if (line := point.to_json()) in work and row["peak_step_bytes"]
    ]


def times(measured: Sequence[Measured], work: Work) -> list[Guess]:
    """Predicted and measured step times, of every dimension and of every depth left out in turn."""
    found = []
    for axis in ("dim", "depth"):
        for size in sorted({row[axis] for _, row in measured}):
            learned = Learned(row for _, row in measured if row[axis] != size)
            for point, row in measured:
                if row[axis] == size and (line := point.to_json()) in work:
                    found.append(_guess(point, row, learned.step_time(point, work[line])))
    return [guess for guess in found if guess is not None]


def at_rates(measured: Iterable[Measured], work: Work, bench: Bench) -> Iterator[tuple[Measured, Prediction, Rates]]:
    """Every point that was traced, with what its step does and the rates of this machine for it."""
    for point, row in measured:
        rates = bench.rates(point)
        if rates is not None and (line := point.to_json()) in work:
            yield (point, row), work[line], rates


def rates_alone(measured: Iterable[Measured], work: Work, bench: Bench) -> list[Guess]:
    """Predicted by the rates of this machine, without a row."""
    found = (_guess(*seen, by_rates(does, rates)) for seen, does, rates in at_rates(measured, work, bench))
    return [guess for guess in found if guess is not None]


def described(rates: Mapping[str, Rates]) -> Device:
    """What somebody would write of this machine, to three digits; what its rates leave out costs nothing."""

    def amount(s_per_unit: float, unit: str) -> str:
        return f"{1 / max(s_per_unit, 1e-30):.2e}{unit}"

    one = next(iter(rates.values()))
    facts = {
        "name": "this machine",
        "kind": "cpu",
        "memory": f"{psutil.virtual_memory().total}B",
        "matmul": {dtype: amount(of.s_per_flop, "FLOP/s") for dtype, of in rates.items()},
        "bandwidth": amount(one.s_per_byte, "B/s"),
        "launch": f"{max(one.s_per_operation, 1e-12):.2e}s",
    }
    return describe(facts, "this machine")


def as_described(measured: Iterable[Measured], work: Work, bench: Bench) -> list[Guess]:
    """Predicted as on a device that is only described."""
    found = (
        _guess(point, row, on(described({point.dtype: rates}))(point, does))
        for (point, row), does, rates in at_rates(measured, work, bench)
    )
    return [guess for guess in found if guess is not None]


def whole_points(measured: Iterable[Measured], work: Work, bench: Bench) -> list[Guess]:
    """Seconds of whole points by rates alone: processes, draws, tracing, rounds of timing; references apart."""
    return [
        Guess(nominal.point_at(point, by_rates(does, rates).seconds), row["duration_s"], point.label)
        for (point, row), does, rates in at_rates(measured, work, bench)
    ]


def _guess(point: Point, row: Mapping[str, Any], step: StepTime | None) -> Guess | None:
    if step is None or not row["time_step_s"]:
        return None
    seconds = row["time_step_s"]
    return Guess(step.seconds, seconds, point.label, step.low_s <= seconds <= step.high_s)


def told(what: str, found: Sequence[Guess], within: float) -> str:
    """The share within a tolerance with its interval, quantiles of the error, and the worst."""
    if not found:
        return f"{what}: nothing to compare"
    errors, hits = [guess.error for guess in found], sum(guess.error <= within for guess in found)
    low, high = share(hits, len(found))
    spread = math.sqrt(np.mean([math.log(guess.predicted / guess.measured) ** 2 for guess in found]))
    lines = [
        f"{what}: {hits} of {len(found)} within {100 * within:g} % = {hits / len(found):.1%} "
        f"(95 % interval {low:.1%} to {high:.1%}); error {np.median(errors):.2%} in the median, "
        f"{np.quantile(errors, 0.9):.1%} at the 90th percentile; root mean square of the logarithm {spread:.3f}"
    ]
    if found[0].covered is not None:
        lines[0] += f"; intervals hold {np.mean([guess.covered for guess in found]):.0%}"
    for guess in sorted(found, key=lambda guess: -guess.error)[:WORST]:
        if guess.error > within:
            lines.append(f"  {guess.predicted / guess.measured:6.2f}  {guess.label}")
    return "\n".join(lines)


def peaks(points: Sequence[Point], bench: Bench, jobs: int) -> list[Measured]:
    """The points that end ok with the peak of their step, measured without times and gradients."""
    with ThreadPoolExecutor(jobs) as executor:
        rows = executor.map(lambda point: solo(bench, point, "not asked for").row, points)
        return [(point, row) for point, row in zip(points, rows, strict=True) if row["outcome"] == "ok"]


def swept(points: Sequence[Point], path: Path, bench: Bench) -> list[Measured]:
    """The points with their rows, measured into a store where they are not there yet."""
    with Store(path) as store:
        plan = runner.plan(points, (), store)
        outcomes = runner.run(plan, store, bench, runner.default_jobs())
        rows = {row["key"]: row for row in store.rows(finished_only=True)}
    click.echo(f"measured now: {', '.join(f'{n} {outcome}' for outcome, n in outcomes.items()) or 'nothing'}")
    pairs = [(point, rows[runner.key_of(point)]) for point in points if runner.key_of(point) in rows]
    return [(point, row) for point, row in pairs if row["outcome"] == "ok"]


@click.command()
@click.option("--sweep", default="quick", show_default=True)
@click.option("--store", "path", type=click.Path(dir_okay=False, path_type=Path), help="Keep the rows there.")
@click.option("--memory", "memory_only", is_flag=True, help="Peaks only: no times, no gradients.")
def main(sweep: str, path: Path | None, memory_only: bool) -> None:
    """Measure the points of a sweep, predict them without having seen them, and print how far that is off."""
    points, jobs = load(sweep).points(), runner.default_jobs()
    for spec in {point.problem for point in points}:
        problems.prepare(spec)
    # rows need to know their work, which is traced beside measuring; peaks alone do not
    with tempfile.TemporaryDirectory() as folder, Bench(Limits.of_this_machine(), predict=not memory_only) as bench:
        if memory_only:
            measured = peaks(points, bench, jobs)
        else:
            measured = swept(points, path or Path(folder) / "rows.sqlite", bench)
        work = work_of([point for point, _ in measured], bench, jobs)
        untold = Counter(point.estimator for point, _ in measured if point.to_json() not in work)
        named = ", ".join(f"{name} {n}" for name, n in untold.items())
        click.echo(f"{len(measured)} points ended ok; not predictable: {named or 'none'}")
        click.echo(told("peak memory of a step", memory(measured, work), MEMORY_WITHIN))
        if not memory_only:
            click.echo(told("step time, sizes left out", times(measured, work), TIME_WITHIN))
            click.echo(told("step time by rates alone", rates_alone(measured, work, bench), TIME_WITHIN))
            click.echo(told("step time by a description", as_described(measured, work, bench), TIME_WITHIN))
            found = whole_points(measured, work, bench)
            click.echo(told("whole points", found, TIME_WITHIN))
            if found:
                predicted, took = sum(guess.predicted for guess in found), sum(guess.measured for guess in found)
                click.echo(f"whole points in all: {predicted:.0f} s predicted, {took:.0f} s measured")


if __name__ == "__main__":
    main()

"""Show the points of a sweep, what they will cost here or on a described device, and what is skipped and why."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from bench.sweep import load
from bench.verbs._units import bytes_in_words, seconds_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.table import Table

    from bench.forecast.device import Device
    from bench.point import Point
    from bench.predict import Cost


PREDICTED_UNASKED = 300
Costs = dict[str, Any]
_UNKNOWN: Costs = {
    **dict.fromkeys(("memory_bytes", "fits", "step_s", "step_low_s", "step_high_s", "basis")),
    **dict.fromkeys(("time_s", "time_low_s", "time_high_s")),
    "reason": "not asked for",
}


@click.command("plan")
@click.argument("sweep")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A file of estimators to join; repeatable.")
@click.option("--problem", "problems", multiple=True, metavar="FILE", help="A file of models to join; repeatable.")
@click.option("--points", "each", is_flag=True, help="Every point, not only counts.")
@click.option("--json", "as_json", is_flag=True, help="Points and skips as JSON.")
@click.option(
    "--store", "store_path", metavar="PATH", help="Rows to learn times from. [results/bench.sqlite, if there]"
)
@click.option("--device", "device_file", metavar="FILE", help="Predict for a device described in a TOML file.")
@click.option("--memory", metavar="SIZE", help="Or described here: what it holds, as 80GiB;")
@click.option("--matmul", metavar="RATE", help="its matrix products, as 60TFLOP/s;")
@click.option("--bandwidth", metavar="RATE", help="its memory's rate, as 3TB/s;")
@click.option("--launch", metavar="TIME", help="launching one operation, as 6us. [5us]")
@click.option(
    "--predict/--no-predict",
    default=None,
    help=f"Memory and time, about a tenth of a second a point.  [default: up to {PREDICTED_UNASKED} points]",
)
def plan(
    sweep: str,
    plugins: tuple[str, ...],
    problems: tuple[str, ...],
    each: bool,
    as_json: bool,
    store_path: str | None,
    device_file: str | None,
    memory: str | None,
    matmul: str | None,
    bandwidth: str | None,
    launch: str | None,
    predict: bool | None,
) -> None:
    """Show what SWEEP (a name or a path) comes to: points for each estimator, skips with reasons, memory and time."""
    given = {"memory": memory, "matmul": matmul, "bandwidth": bandwidth, "launch": launch}
    device = _device(device_file, {key: value for key, value in given.items() if value is not None})
    if device is not None and store_path is not None:
        raise click.UsageError("--store holds rows of this machine; it says nothing of a described device")
    loaded = load(sweep)
    points, skips = loaded.points(*plugins, problems=problems), loaded.skips
    wanted = len(points) <= PREDICTED_UNASKED or device is not None if predict is None else predict
    rows = _rows(store_path) if device is None and wanted else []
    predicted = _predict(points, plugins, problems, device, rows) if wanted else [_UNKNOWN] * len(points)
    if as_json:
        click.echo(json.dumps(_as_json(loaded.title, points, predicted, skips), indent=2))
        return
    _print(loaded.title, points, predicted, skips, each, device)
    if not wanted and predict is None:
        click.echo(f"more than {PREDICTED_UNASKED} points: add --predict to have them predicted")


def _device(file: str | None, given: dict[str, str]) -> Device | None:
    from bench.forecast import device

    if file is not None and given:
        raise click.UsageError(f"--device and {', '.join(f'--{key}' for key in given)} both describe a device")
    if file is not None:
        return device.load(file)
    return device.describe(given, "the command line") if given else None


def _rows(path: str | None) -> list[dict[str, Any]]:
    """The rows of a store that is named, or of the default one if it is there."""
    from bench.store import DEFAULT_PATH, Store

    if path is None and not DEFAULT_PATH.exists():
        return []
    with Store(path or DEFAULT_PATH, must_exist=True) as store:
        return list(store.rows(finished_only=True))


def _predict(
    points: list[Point],
    plugins: tuple[str, ...],
    problems: tuple[str, ...],
    device: Device | None,
    rows: list[dict[str, Any]],
) -> list[Costs]:
    """Predicted bytes and seconds of a step, and seconds of the whole point; None with the reason where unknown."""
    from rich.console import Console
    from rich.progress import Progress

    from bench import predict
    from bench.forecast.learned import Learned
    from bench.measure import Bench, Limits

    limits = Limits.of_this_machine()
    holds = device.memory_bytes if device is not None else limits.memory_bytes
    asked = points if device is None else [replace(point, device=device.kind) for point in points]
    with (
        Progress(console=Console(stderr=True), transient=True) as progress,
        Bench(limits, list(plugins), list(problems), True) as bench,
    ):
        task = progress.add_task("predicting", total=len(points))
        pace = predict.on(device) if device is not None else predict.here(bench, Learned(rows) if rows else None)
        costs = predict.costs(asked, bench, pace, on_point=lambda: progress.advance(task))
    return [_plain(point, cost, holds, device is None) for point, cost in zip(points, costs, strict=True)]


def _plain(point: Point, cost: Cost, holds: float, here: bool) -> Costs:
    """A cost as plain data. What a GPU of this machine holds is not known: only a described device, or the CPU."""
    held = None if cost.memory_bytes is None else cost.memory_bytes + (cost.resident_bytes or 0)
    known = held is not None and (not here or point.device == "cpu")
    step = cost.step
    return {
        "memory_bytes": cost.memory_bytes,
        "fits": held <= holds if known and held is not None else None,
        "step_s": step and step.seconds,
        "step_low_s": step and step.low_s,
        "step_high_s": step and step.high_s,
        "basis": step and step.basis,
        "time_s": cost.point_s,
        "time_low_s": cost.point_low_s,
        "time_high_s": cost.point_high_s,
        "reason": cost.reason,
    }


def _as_json(title: str, points: list[Point], predicted: list[Costs], skips: list[tuple[Point, str]]) -> dict[str, Any]:
    return {
        "title": title,
        "points": [
            {**p.identity(), "draws": p.draws, "stress": _is_stress(p), **costs}
            for p, costs in zip(points, predicted, strict=True)
        ],
        "skips": [{**point.identity(), "reason": reason} for point, reason in skips],
    }


def _print(
    title: str,
    points: list[Point],
    predicted: list[Costs],
    skips: list[tuple[Point, str]],
    each: bool,
    device: Device | None,
) -> None:
    from bench.verbs._table import console as make_console

    console = make_console()
    console.print(f"{title}\n", style="bold")
    costed = list(zip(points, predicted, strict=True))
    for quantity in dict.fromkeys(point.quantity for point in points):
        mine = [(point, costs) for point, costs in costed if point.quantity == quantity]
        console.print(_each_point(quantity, mine) if each else _counts(quantity, mine))
    if skips:
        console.print(_skipped(skips))
    problems = len({point.problem for point in points})
    console.print(f"{_count(len(points), 'point')} on {_count(problems, 'problem')}, {len(skips)} skipped")
    if stress := sum(map(_is_stress, points)):
        console.print(
            f"{_count(stress, 'stress row')}: at the activation's kinks automatic differentiation is not the "
            "derivative of the objective; held against draws at noised rows that count them"
        )
    for line in _sums(points, predicted, device):
        console.print(line)


def _sums(points: list[Point], predicted: list[Costs], device: Device | None) -> Iterator[str]:
    """Memory of the largest point, what does not fit, time in all with its interval, and what these rest on."""
    from bench.forecast import nominal, order

    where = f" on {device.name}" if device is not None else ""
    largest = _most(costs["memory_bytes"] for costs in predicted)
    yield f"predicted memory of the largest point{where}: {bytes_in_words(largest) or 'not predicted'}"
    if big := sum(costs["fits"] is False for costs in predicted):
        holds = f", which holds {bytes_in_words(device.memory_bytes)}" if device is not None else ""
        yield f"{_count(big, 'point')} will not fit{where or ' into the memory that a point may hold'}{holds}: marked !"
    fitting = [costs for costs in predicted if costs["fits"] is not False]
    total, low, high = (_total(costs[f"time_{end}s"] for costs in fitting) for end in ("", "low_", "high_"))
    if total is None:
        yield "predicted time in all: not predicted"
        return
    between = f"{seconds_in_words(low)} to {seconds_in_words(high)} if all are off alike"
    yield f"predicted time in all{where}: {seconds_in_words(total)} ({between})"
    if device is None:
        references = sum(map(nominal.references_s, order.groups(points)))
        yield f"and some {seconds_in_words(references)} for exact references that are not in the cache"
    yield "a step's time is its traced FLOPs, bytes and operations, each at a rate:"
    steps = [costs for costs in predicted if costs["basis"]]
    for basis, count in Counter(_kind(costs["basis"]) for costs in steps).items():
        factors = [costs["step_high_s"] / costs["step_s"] for costs in steps if _kind(costs["basis"]) == basis]
        off = f"off by a factor of {median(factors):.2f} at most in 19 of 20"
        off = off if device is None else "nothing was measured there: a factor of two either way is assumed"
        yield f"  {_count(count, 'point')} by {basis}; {off}"
    for reason, count in Counter(costs["reason"] for costs in predicted if costs["reason"]).items():
        yield f"  {_count(count, 'point')}: {reason}"


def _kind(basis: str) -> str:
    """A basis without its own number of rows."""
    return basis.lstrip("0123456789 ")


def _is_stress(point: Point) -> bool:
    from bench.references import kinked

    return kinked.at(point.problem, point.quantity, point.order, point.target)


def _counts(quantity: str, costed: list[tuple[Point, Costs]]) -> Table:
    from bench.verbs._table import table as make_table

    right = ("points", "memory", "time")
    axes = ("dim", "depth", "order", "probes")
    table = make_table(quantity, "estimator", "points", *axes, "memory", "time", right=right, wrap=axes)
    for name in dict.fromkeys(point.estimator for point, _ in costed):
        mine = [(point, costs) for point, costs in costed if point.estimator == name]
        table.add_row(
            name,
            str(len(mine)),
            *(_axis(point.identity()[axis] for point, _ in mine) for axis in axes),
            _memory([costs for _, costs in mine]),
            seconds_in_words(_total(costs["time_s"] for _, costs in mine)),
        )
    return table


def _each_point(quantity: str, costed: list[tuple[Point, Costs]]) -> Table:
    from bench.verbs._table import table as make_table

    columns = ("estimator", "model", "dim", "depth", "order", "options", "memory", "time")
    table = make_table(quantity, *columns, right=("memory", "time"), wrap=("options",))
    for point, costs in costed:
        options = " ".join(f"{k}={v}" for k, v in point.options.items() if v is not None)
        problem = point.problem
        sizes = map(str, (problem.dim, problem.depth, point.order))
        cells = (point.estimator, problem.model, *sizes, options)
        table.add_row(*cells, _memory([costs]), seconds_in_words(costs["time_s"]))
    table.columns[5].min_width = max((len(f"{k}={v}") for p, _ in costed for k, v in p.options.items()), default=1)
    return table


def _memory(costs: list[Costs]) -> str:
    """Of the largest; marked where one does not fit."""
    mark = "! " if any(one["fits"] is False for one in costs) else ""
    return mark + bytes_in_words(_most(one["memory_bytes"] for one in costs))


def _skipped(skips: list[tuple[Point, str]]) -> Table:
    from bench.verbs._table import table as make_table

    table = make_table("skipped", "estimator", "points", "why", right=("points",), wrap=("why",))
    for (name, reason), count in Counter((point.estimator, reason) for point, reason in skips).items():
        table.add_row(name, str(count), reason)
    return table


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _axis(values: Iterable[Any]) -> str:
    return " ".join(map(str, sorted({value for value in values if value is not None}))) or "–"


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None

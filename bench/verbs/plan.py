"""Show the points of a sweep, what they will cost, and what is skipped and why; measures nothing."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from bench.sweep import load
from bench.verbs._units import bytes_in_words, seconds_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from bench.point import Point


PREDICTED_UNASKED = 300
Costs = dict[str, Any]
_UNKNOWN: Costs = {"memory_bytes": None, "time_s": None, "reason": "not asked for"}


@click.command("plan")
@click.argument("sweep")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A file of estimators to join; repeatable.")
@click.option("--problem", "problems", multiple=True, metavar="FILE", help="A file of models to join; repeatable.")
@click.option("--points", "each", is_flag=True, help="Every point, not only counts.")
@click.option("--json", "as_json", is_flag=True, help="Points and skips as JSON.")
@click.option(
    "--predict/--no-predict",
    default=None,
    help=f"Memory and time, about a tenth of a second a point.  [default: up to {PREDICTED_UNASKED} points]",
)
def plan(
    sweep: str, plugins: tuple[str, ...], problems: tuple[str, ...], each: bool, as_json: bool, predict: bool | None
) -> None:
    """Show what SWEEP (a name or a path) comes to: points for each estimator, skips with reasons, memory and time."""
    loaded = load(sweep)
    points, skips = loaded.points(*plugins, problems=problems), loaded.skips
    wanted = len(points) <= PREDICTED_UNASKED if predict is None else predict
    predicted = _predict(points, plugins, problems) if wanted else [_UNKNOWN] * len(points)
    if as_json:
        click.echo(json.dumps(_as_json(loaded.title, points, predicted, skips), indent=2))
        return
    _print(loaded.title, points, predicted, skips, each)
    if not wanted and predict is None:
        click.echo(f"more than {PREDICTED_UNASKED} points: add --predict to have them predicted")


def _predict(points: list[Point], plugins: tuple[str, ...], problems: tuple[str, ...]) -> list[Costs]:
    """Predicted bytes of a step, and seconds of the whole point; None where nothing predicts them, with the reason."""
    from rich.console import Console
    from rich.progress import Progress

    from bench import predict
    from bench.measure import Bench, Limits

    with (
        Progress(console=Console(stderr=True), transient=True) as progress,
        Bench(Limits.of_this_machine(), list(plugins), list(problems), True) as bench,
    ):
        task = progress.add_task("predicting", total=len(points))
        costs = predict.costs(points, bench, on_point=lambda: progress.advance(task))
    return [{"memory_bytes": cost.memory_bytes, "time_s": cost.point_s, "reason": cost.reason} for cost in costs]


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
    largest = _most(costs["memory_bytes"] for costs in predicted)
    console.print(f"predicted memory of the largest point: {bytes_in_words(largest) or 'not predicted'}")
    console.print(
        f"predicted time in all: {seconds_in_words(_total(c['time_s'] for c in predicted)) or 'not predicted'}"
    )


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
            bytes_in_words(_most(costs["memory_bytes"] for _, costs in mine)),
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
        table.add_row(*cells, bytes_in_words(costs["memory_bytes"]), seconds_in_words(costs["time_s"]))
    table.columns[5].min_width = max((len(f"{k}={v}") for p, _ in costed for k, v in p.options.items()), default=1)
    return table


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

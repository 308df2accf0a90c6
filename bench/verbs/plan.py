"""Show the points of a sweep, what they will cost, and what is skipped and why; measures nothing."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from bench.sweep import load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from bench.point import Point


@click.command("plan")
@click.argument("sweep")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A file of estimators to join; repeatable.")
@click.option("--problem", "problems", multiple=True, metavar="FILE", help="A file of problems to load; repeatable.")
@click.option("--points", "each", is_flag=True, help="Every point, not only counts.")
@click.option("--json", "as_json", is_flag=True, help="Points and skips as JSON.")
def plan(sweep: str, plugins: tuple[str, ...], problems: tuple[str, ...], each: bool, as_json: bool) -> None:
    """Show what SWEEP (a name or a path) comes to: points for each estimator, skips with reasons, memory and time."""
    from bench.sweep.plugins import load_problem

    for file in problems:
        load_problem(file)
    loaded = load(sweep)
    points, skips = loaded.points(*plugins), loaded.skips
    predicted = [_predict(point) for point in points]
    if as_json:
        click.echo(json.dumps(_as_json(loaded.title, points, predicted, skips), indent=2))
        return
    _print(loaded.title, points, predicted, skips, each)


def _predict(point: Point) -> dict[str, float | None]:
    """Predicted bytes and seconds of one point; None where nothing predicts them."""
    predicted: dict[str, float | None] = {"memory_bytes": None, "time_s": None}
    try:
        predict = importlib.import_module("bench.predict")
    except ModuleNotFoundError:
        return predicted
    for name, function in (("memory_bytes", "memory"), ("time_s", "time")):
        if hasattr(predict, function):
            predicted[name] = getattr(predict, function)(point)
    return predicted


def _as_json(
    title: str, points: list[Point], predicted: list[dict[str, float | None]], skips: list[tuple[Point, str]]
) -> dict[str, Any]:
    return {
        "title": title,
        "points": [{**p.identity(), "draws": p.draws, **costs} for p, costs in zip(points, predicted, strict=True)],
        "skips": [{**point.identity(), "reason": reason} for point, reason in skips],
    }


def _print(
    title: str,
    points: list[Point],
    predicted: list[dict[str, float | None]],
    skips: list[tuple[Point, str]],
    each: bool,
) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(f"{title}\n", style="bold")
    if each:
        table = _table("point", "estimator", "model", "dim", "depth", "order", "options", "memory", "time")
        for n, (point, costs) in enumerate(zip(points, predicted, strict=True), 1):
            p = point.problem
            options = " ".join(f"{k}={v}" for k, v in point.options.items() if v is not None)
            numbers = (_gib(costs["memory_bytes"]), _seconds(costs["time_s"]))
            table.add_row(str(n), point.estimator, p.model, *map(str, (p.dim, p.depth, point.order)), options, *numbers)
    else:
        table = _table("estimator", "quantity", "points", "dim", "depth", "order", "probes", "most memory", "time")
        for name in dict.fromkeys(point.estimator for point in points):
            mine = [(p, costs) for p, costs in zip(points, predicted, strict=True) if p.estimator == name]
            table.add_row(
                name,
                mine[0][0].quantity,
                str(len(mine)),
                *(_axis(getattr(p.problem, axis) for p, _ in mine) for axis in ("dim", "depth")),
                _axis(p.order for p, _ in mine),
                _axis(p.options["probes"] for p, _ in mine if "probes" in p.options),
                _gib(max((c["memory_bytes"] for _, c in mine if c["memory_bytes"] is not None), default=None)),
                _seconds(_total(c["time_s"] for _, c in mine)),
            )
    console.print(table)
    _print_skips(console, skips)
    problems = len({point.problem for point in points})
    console.print(f"{len(points)} points on {problems} problems, {len(skips)} skipped")
    largest = max((c["memory_bytes"] for c in predicted if c["memory_bytes"] is not None), default=None)
    console.print(f"predicted memory of the largest point: {_gib(largest)}")
    console.print(f"predicted time in all: {_seconds(_total(c['time_s'] for c in predicted))}")


def _print_skips(console: Any, skips: list[tuple[Point, str]]) -> None:
    if not skips:
        return
    table = _table("skipped", "points", "why")
    for (name, reason), count in Counter((point.estimator, reason) for point, reason in skips).items():
        table.add_row(name, str(count), reason)
    console.print(table)


def _axis(values: Iterable[Any]) -> str:
    return ", ".join(map(str, sorted(set(values)))) or "–"


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _gib(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value / 2**30:.1f} GiB" if value >= 2**30 else f"{value / 2**20:.1f} MiB"


def _seconds(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for n, column in enumerate(columns):
        right = column in ("point", "points", "memory", "most memory", "time")
        table.add_column(column, justify="right" if right else "left", no_wrap=n == 0, overflow="fold")
    return table

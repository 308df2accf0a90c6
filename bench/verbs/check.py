"""A/A: is this machine quiet enough, and what change can it see."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bench.false_alarms import FalseAlarms
    from bench.point import Point

# A millisecond to ten of them: launching, moving memory and multiplying each take the largest part of one.
STEPS = (("hutchinson", 64, 2), ("forward_laplacian", 64, 2), ("hutchinson", 196, 8))


@click.command("check")
@click.option(
    "--pairs", type=click.IntRange(min=1), default=12, show_default=True, help="Five to fifteen seconds each."
)
@click.option(
    "--plant", type=click.FloatRange(0, min_open=True), help="Plant a slowdown, 0.05 for 5 %, and look for it."
)
@click.option(
    "--fail-above", type=click.FloatRange(0, 1), help="Exit with 1 if more than this share is called changed."
)
@click.option("--json", "as_json", is_flag=True, help="The numbers as JSON.")
def check(pairs: int, plant: float | None, fail_above: float | None, as_json: bool) -> None:
    """Time identical steps against each other: how often they are called changed, and what change would be seen.

    The visible change is computed from the scatter of identical steps. With --plant, one step of each further pair
    waits in every call, and the pairs in which that is called slower are counted.
    """
    from bench import problems
    from bench.false_alarms import limits as rate_limits
    from bench.false_alarms import measure, planted_seen
    from bench.measure import Bench, Limits
    from bench.verbs._progress import bar

    points = [_point(*step) for step in STEPS]
    for point in points:
        problems.prepare(point.problem)
    before = _load()
    planted = None
    limits = Limits.of_this_machine()
    with Bench(limits, predict=False) as bench, bar() as progress:
        task = progress.add_task("pairs of identical steps", total=pairs)
        found = measure(bench, points, pairs, lambda done, _: progress.update(task, completed=done))
        if plant is not None:
            planting = progress.add_task(f"pairs with {100 * plant:g} % planted", total=pairs)
            started = time.perf_counter()
            words = planted_seen(bench, points, pairs, plant, lambda done, _: progress.update(planting, completed=done))
            seen = sum(v is not None and v.word == "slower" for v in words)  # a pair that failed saw nothing
            low, high = rate_limits(seen, pairs)
            planted = {"change": plant, "pairs": pairs, "seen": seen, "rate_low": low, "rate_high": high}
            planted["pair_s"] = (time.perf_counter() - started) / pairs
    if as_json:
        click.echo(json.dumps({**asdict(found), "planted": planted, "load_before": before}, indent=2))
    else:
        _print(found, before)
        if planted:
            low, high = 100 * planted["rate_low"], 100 * planted["rate_high"]
            click.echo(
                f"planted {100 * planted['change']:<4g} %       seen in {planted['seen']} of {planted['pairs']} pairs "
                f"({low:.1f} to {high:.1f} %, 95 %), {planted['pair_s']:.1f} s each"
            )
    if not found.pairs or (fail_above is not None and found.false > fail_above * found.pairs):
        raise SystemExit(1)


def _point(name: str, dim: int, depth: int) -> Point:
    import estimators
    from bench.point import Point, ProblemSpec

    estimator = estimators.get(name)
    return Point(
        estimator=name,
        quantity=estimator.quantity,
        problem=ProblemSpec(dim=dim, depth=depth, batch=64),
        options=dict(estimator.options),
        target=estimator.target,
    )


def _load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _print(found: FalseAlarms, load: float | None) -> None:
    from bench.false_alarms import rule

    for failure in found.failures:
        click.echo(f"could not be timed: {failure}")
    if not found.pairs:
        return
    click.echo(f"{found.pairs} pairs of identical steps; {rule()}")
    low, high = 100 * found.rate_low, 100 * found.rate_high
    click.echo(f"false verdicts       {found.false} of {found.pairs} ({low:.1f} to {high:.1f} %, 95 %)")
    visible = "none up to 50 %" if math.isnan(found.visible) else f"{100 * found.visible:g} %"
    click.echo(f"visible slowdown     {visible} (called slower in at least 95 % of the pairs)")
    click.echo(
        f"scatter of a ratio   ±{100 * found.scatter:.2f} % (half the interval); {100 * found.shift:.2f} % at most"
    )
    click.echo(f"a pair took          {found.pair_s:.1f} s")
    if load is not None:
        cores = os.cpu_count() or 1
        advice = "; stop what else runs, and check again" if load > 0.5 else ""
        click.echo(f"load before          {load:.2f} on {cores} cores{advice}")

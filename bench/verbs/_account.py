"""The account that a run gives of itself: what it will measure, what it did, and what is left."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from bench.verbs._units import seconds_in_words

if TYPE_CHECKING:
    from bench.forecast.budget import Budget
    from bench.point import Point
    from bench.runner import Plan
    from bench.store import Store


def opening(title: str, plan: Plan, store: Store) -> str:
    """The sweep, and how much of it is to be measured."""
    there = f", {plan.present} are in {store.path} already" if plan.present else ""
    return f"{title}\n{len(plan)} points to measure{there}"


def left(points: list[Point], budget: Budget | None, timed: bool, workers: int = 1) -> str:
    """What was not measured, how long so many workers may take at the pace of this run, and how to go on."""
    from bench.forecast import nominal, order

    if not timed:
        return f"{len(points)} points are to be timed, or measured, by a run without --no-time"
    counts = Counter(point.estimator for point in points).most_common()
    named = ", ".join(f"{name} {count}" for name, count in counts[:6]) + (", …" if len(counts) > 6 else "")
    pace = ""
    if budget is not None:
        seconds = budget.factor * sum(nominal.group_s(group) for group in order.groups(points)) / max(1, workers)
        pace = f", about {seconds_in_words(seconds)} at this pace"
    return f"{len(points)} points are left ({named}){pace}; the same command goes on from here"


def closing(rows: list[dict[str, Any]], store: Store, spent_s: float) -> None:
    """How the sweep's points ended, and the first of those that did not end well."""
    outcomes: Counter[str] = Counter(row["outcome"] for row in rows)
    words = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    click.echo(f"{words or 'no points'} in {store.path} ({spent_s:.0f} s)", err=True)
    shown = 0
    for row in rows:
        if row["outcome"] not in ("ok", "skipped"):
            if shown == 10:
                click.echo("  … and more: python -m bench export", err=True)
                break
            where = f"{row['estimator']} D={row['dim']} depth={row['depth']} order={row['order']}"
            reason = " ".join(str(row["reason"]).split())[:160]
            click.echo(f"  {row['outcome']}: {where}: {reason}", err=True)
            shown += 1
    click.echo(f"next: python -m reports build --store {store.path}", err=True)

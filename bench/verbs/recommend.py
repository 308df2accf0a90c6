"""The cheapest estimator that reaches an accuracy at a size, and why the others do not qualify."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from bench.store import DEFAULT_PATH, Store
from bench.store.latest import latest


@click.command("recommend")
@click.option("--dim", type=click.IntRange(min=1), required=True, help="D, the input dimension.")
@click.option("--depth", type=click.IntRange(min=1), required=True, help="How many hidden layers.")
@click.option("--order", type=click.IntRange(min=0), help="T, the derivative order. [2, and 0 for a likelihood]")
@click.option(
    "--error",
    type=click.FloatRange(min=0, min_open=True),
    default=0.1,
    show_default=True,
    help="The relative error of the parameter gradient that you tolerate.",
)
@click.option(
    "--memory", type=click.FloatRange(min=0, min_open=True), default=None, help="GiB at hand; any if left out."
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    help="Seconds of compute for one gradient: rank by the error they buy instead.",
)
@click.option("--quantity", default=None, help="What is estimated; may be left out where the store has one only.")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Keep the rows with this value; may be repeated.")
@click.option("--store", default=str(DEFAULT_PATH), show_default=True, help="The store to read.")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A file of estimators; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def recommend(
    dim: int,
    depth: int,
    order: int | None,
    error: float,
    memory: float | None,
    budget: float | None,
    quantity: str | None,
    where: tuple[str, ...],
    store: str,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Rank the estimators at a size by what it costs to bring the gradient's error below --error.

    Sizes that were measured answer for themselves. For others, scaling laws fitted to the measured sizes do, with their
    uncertainty; an answer says when it extrapolates, and how far.
    """
    from bench.recommend import Question, QuestionError
    from bench.recommend import recommend as answer
    from bench.sweep.plugins import load_plugin
    from bench.sweep.study import DEFAULT_ORDERS

    for file in plugins:
        load_plugin(file)
    with Store(store, must_exist=True) as opened:
        newest = latest(opened.rows(finished_only=True))
    rows = [row for row in newest if all(_holds(row, condition) for condition in where)]
    quantities = sorted({str(row["quantity"]) for row in rows})
    if quantity is None and len(quantities) != 1:
        raise click.UsageError(f"the store holds {len(quantities)} quantities: give --quantity {'|'.join(quantities)}")
    at_hand = None if memory is None else memory * 2**30
    quantity = quantity or quantities[0]
    order = DEFAULT_ORDERS.get(quantity, 2) if order is None else order
    question = Question(quantity, dim, depth, order, error, at_hand, budget)
    try:
        found = answer(rows, question)
    except QuestionError as problem:
        raise click.UsageError(str(problem)) from None
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        _print(found)


def _holds(row: Mapping[str, Any], condition: str) -> bool:
    column, separator, value = condition.partition("=")
    if not separator or column not in row:
        raise click.UsageError(f"--where {condition!r} has to be COLUMN=VALUE, with a column of the store")
    return str(row[column]) in value.split(",")


def _print(found: Any) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, q = Console(), found.question
    if not console.is_terminal:
        console = Console(width=140)
    asked = f"{q.quantity} at D = {q.dim}, depth {q.depth}, order {q.order}, gradient error below {q.error:.3g}"
    console.print(
        Text(
            asked
            + (f", memory below {q.memory_bytes / 2**30:.3g} GiB" if q.memory_bytes else "")
            + (f", within {seconds(q.budget_s)}" if q.budget_s else "")
        )
    )
    held = (f"{name} {value}" for name, value in found.setting.items() if name != "machine" and value != "None")
    console.print(Text(", ".join(held), style="dim"))
    for note in found.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    if found.qualified:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("", "estimator", "cost", "95 % interval", "calls", "error", "memory", "bias below", "std", "from"):
            table.add_column(name)
        for place, a in enumerate(found.qualified, 1):
            table.add_row(
                "=" if a.tied else f"{place}",
                Text(a.label[:60]),
                f"{seconds(a.cost_s)}" + (f"  ×{a.ratio:.2g}" if place > 1 else ""),
                f"{seconds(a.cost_low_s)} to {seconds(a.cost_high_s)}",
                f"{a.calls:.0f}",
                f"{a.error:.2g}",
                f"{a.memory_bytes / 1e6:.3g} MB",
                f"{a.bias:.1e}",
                f"{a.std:.2g}",
                a.basis + (f", ×{a.beyond:.2g} outside" if a.beyond > 1.001 else ""),
            )
        console.print(table)
        console.print(Text("interval from the step time alone", style="dim"))
    else:
        console.print("no estimator qualifies")
    if found.refused:
        console.print("\nnot qualified:")
        for a in found.refused:
            console.print(Text(f"  {a.label[:60]}: {a.refusal}"))


def seconds(value: float) -> str:
    """With the unit that fits."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"

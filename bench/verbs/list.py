"""Show the estimators, the problems and the sweeps there are."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import click

from bench.sweep import SweepError, load, shipped

if TYPE_CHECKING:
    from estimators import Estimator


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@click.option("--costs", is_flag=True, help="What each estimator declares to cost, in passes and memory.")
@click.option("--quantity", help="Only estimators of one quantity.")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A file of estimators to load; repeatable.")
@click.option("--problem", "problems", multiple=True, metavar="FILE", help="A file of problems to load; repeatable.")
def list_known(
    as_json: bool, costs: bool, quantity: str | None, plugins: tuple[str, ...], problems: tuple[str, ...]
) -> None:
    """Show the estimators, with what they estimate and need, the problems, and the sweeps."""
    import estimators
    from bench.sweep.plugins import load_plugin, load_problem

    for file in plugins:
        load_plugin(file)
    for file in problems:
        load_problem(file)
    try:
        found = [estimators.get(name) for name in estimators.names(quantity=quantity)]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        sweeps = {"sweeps": _sweeps(), "training_sweeps": _training_sweeps()}
        click.echo(json.dumps({"estimators": [_facts(e) for e in found], **_problems(), **sweeps}, indent=2))
        return
    if costs:
        _print_costs(found)
        return
    _print(found)


def _print_costs(found: list[Estimator]) -> None:
    from bench.verbs._table import console as make_console
    from estimators.cost import SYMBOLS

    console = make_console()
    for estimator in found:
        console.print(estimator.name, style="bold")
        if estimator.cost is None:
            console.print("    not declared")
            continue
        cost = estimator.cost
        for what, passes, memory in (("value", cost.passes, cost.memory), ("step", cost.step_passes, cost.step_memory)):
            line = f"{what}: {passes} passes, O({memory}) numbers a row"
            console.print(
                textwrap.fill(line, 78, initial_indent="    ", subsequent_indent="      "),
                highlight=False,
                markup=False,
            )
    console.print(
        "\nA pass is one evaluation of the model, in operations of matrix products; a step is value and θ-gradient."
    )
    console.print(", ".join(f"{symbol} is {meaning}" for symbol, meaning in SYMBOLS.items()) + ".", highlight=False)


def _facts(estimator: Estimator) -> dict[str, Any]:
    return {
        "name": estimator.name,
        "quantity": estimator.quantity,
        "target": estimator.target,
        "bias": estimator.bias,
        "step": estimator.step,
        "bias_order": estimator.bias_order,
        "stochastic": estimator.stochastic,
        "exact": estimator.exact,
        "needs": estimator.needs,
        "orders": estimator.orders if estimator.orders == "any" else list(estimator.orders),
        "options": dict(estimator.options),
        "pair": estimator.pair,
        "cost": estimator.cost.written() if estimator.cost else None,
        "tags": list(estimator.tags),
        "source": estimator.source,
        "formula": estimator.formula,
        "origin": estimator.origin,
    }


def _problems() -> dict[str, Any]:
    from bench import problems

    models = [
        {
            "name": m.name,
            "quantities": list(m.quantities),
            "needs": list(m.needs),
            "reads": list(m.reads),
            "origin": m.origin,
        }
        for m in problems.MODELS.values()
    ]
    return {"models": models, "data": list(problems.DATA), "activations": list(problems.ACTIVATIONS)}


def _sweeps() -> list[dict[str, str]]:
    titles = []
    for name in shipped():
        try:
            titles.append({"name": name, "title": load(name).title})
        except SweepError as error:
            titles.append({"name": name, "title": str(error)})
    return titles


def _training_sweeps() -> list[dict[str, str]]:
    from bench.train.sweep import titles

    return [{"name": name, "title": title} for name, title in titles().items()]


_WIDE = 120
_HEADS = ("estimator", "target", "bias", "random", "needs", "orders")


def _cells(estimator: Estimator) -> tuple[str, ...]:
    bias = f"O({estimator.step}^{estimator.bias_order})" if estimator.bias == "vanishing" else estimator.bias
    orders = "any" if estimator.orders == "any" else ", ".join(map(str, estimator.orders))
    return estimator.name, estimator.target, bias, "yes" if estimator.stochastic else "no", estimator.needs, orders


def _options(estimator: Estimator) -> str:
    return ", ".join(f"{name}={value}" for name, value in estimator.options.items())


def _lines(found: list[Estimator]) -> str:
    """The table for narrow terminals: the options of an estimator on a line of their own."""
    rows = [_cells(estimator) for estimator in found]
    widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(_HEADS, widths, strict=True)).rstrip()]
    lines.append("─" * min(80, sum(widths) + 2 * len(widths) - 2))
    for estimator, row in zip(found, rows, strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        indented = {"initial_indent": "    ", "subsequent_indent": "    "}
        lines += textwrap.wrap(_options(estimator), 80, break_on_hyphens=False, **indented)  # type: ignore[arg-type]
    return "\n".join(lines) + "\n"


def _print(found: list[Estimator]) -> None:
    from bench.verbs._table import console as make_console
    from bench.verbs._table import table as make_table

    console = make_console()
    for quantity in dict.fromkeys(estimator.quantity for estimator in found):
        mine = [estimator for estimator in found if estimator.quantity == quantity]
        if console.width >= _WIDE:
            table = make_table(quantity, *_HEADS, "options", wrap=("options",))
            for estimator in mine:
                table.add_row(*_cells(estimator), _options(estimator) or "–")
            console.print(table)
        else:
            console.print(f"{quantity}\n", style="bold")
            console.print(_lines(mine), soft_wrap=True)
    facts = _problems()
    table = make_table("models", "model", "serves", "offers", "heeds", wrap=("serves", "offers", "heeds"))
    for model in facts["models"]:
        table.add_row(*(", ".join(v) if isinstance(v, list) else v for k, v in model.items() if k != "origin"))
    console.print(table)
    console.print(f"data: {', '.join(facts['data'])}\nactivations: {', '.join(facts['activations'])}\n")
    for heading, sweeps in (
        ("sweeps: python -m bench run SWEEP", _sweeps()),
        ("training sweeps: python -m bench train SWEEP", _training_sweeps()),
    ):
        table = make_table(heading, "sweep", "what it shows", wrap=("what it shows",))
        for sweep in sweeps:
            table.add_row(sweep["name"], sweep["title"])
        console.print(table)

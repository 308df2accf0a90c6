"""Show the estimators, the problems and the sweeps there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from bench.sweep import SweepError, load, shipped

if TYPE_CHECKING:
    from estimators import Estimator


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@click.option("--quantity", help="Only estimators of one quantity.")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A file of estimators to load; repeatable.")
@click.option("--problem", "problems", multiple=True, metavar="FILE", help="A file of problems to load; repeatable.")
def list_known(as_json: bool, quantity: str | None, plugins: tuple[str, ...], problems: tuple[str, ...]) -> None:
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
        click.echo(json.dumps({"estimators": [_facts(e) for e in found], **_problems(), "sweeps": _sweeps()}, indent=2))
        return
    _print(found)


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


def _print(found: list[Estimator]) -> None:
    from bench.verbs._table import console as make_console
    from bench.verbs._table import table as make_table

    console = make_console()
    for quantity in dict.fromkeys(estimator.quantity for estimator in found):
        table = make_table(
            quantity, "estimator", "target", "bias", "random", "needs", "orders", "options", wrap=("options",)
        )
        mine = [e for e in found if e.quantity == quantity]
        table.columns[-1].min_width = max((len(f"{k}={v},") for e in mine for k, v in e.options.items()), default=1)
        for e in mine:
            bias = f"O({e.step}^{e.bias_order})" if e.bias == "vanishing" else e.bias
            orders = e.orders if e.orders == "any" else ", ".join(map(str, e.orders))
            options = ", ".join(f"{k}={v}" for k, v in e.options.items())
            table.add_row(e.name, e.target, bias, "yes" if e.stochastic else "no", e.needs, orders, options or "–")
        console.print(table)
    facts = _problems()
    table = make_table("models", "model", "serves", "offers", "heeds", wrap=("serves", "offers", "heeds"))
    for model in facts["models"]:
        table.add_row(*(", ".join(v) if isinstance(v, list) else v for k, v in model.items() if k != "origin"))
    console.print(table)
    console.print(f"data: {', '.join(facts['data'])}\nactivations: {', '.join(facts['activations'])}\n", soft_wrap=True)
    table = make_table("sweeps", "sweep", "what it shows", wrap=("what it shows",))
    for sweep in _sweeps():
        table.add_row(sweep["name"], sweep["title"])
    console.print(table)

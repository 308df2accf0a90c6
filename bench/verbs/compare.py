"""Estimators side by side at one problem, interleaved: ratios with intervals, and verdicts."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bench.comparison import Compared
    from bench.measure import Row
    from bench.point import Point, ProblemSpec


@click.command("compare")
@click.argument("names", nargs=-1, required=True, metavar="A B…")
@click.option("--dim", type=click.IntRange(min=1), default=64, show_default=True, help="D, the input dimension.")
@click.option("--depth", type=click.IntRange(min=1), default=2, show_default=True, help="How many hidden layers.")
@click.option("--order", type=click.IntRange(min=0), help="T, the derivative order. [2, or the one they do]")
@click.option("--model", default="mlp", show_default=True, help="The model family.")
@click.option("--data", default="digits", show_default=True, help="The data set.")
@click.option("--width", type=click.IntRange(min=1), default=128, show_default=True, help="Units in a hidden layer.")
@click.option("--activation", default="softplus", show_default=True, help="The nonlinearity.")
@click.option("--batch", type=click.IntRange(min=1), default=128, show_default=True, help="Rows in a batch.")
@click.option("--dtype", type=click.Choice(["float32", "float64", "bfloat16"]), default="float32", show_default=True)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--draws", type=click.IntRange(min=2), default=64, show_default=True, help="Gradient draws.")
@click.option("--call", type=click.Choice(["step", "value"]), default="step", show_default=True, help="What is timed.")
@click.option("--rounds", type=click.IntRange(min=8), default=30, show_default=True)
@click.option("--time-only", is_flag=True, help="Leave memory and accuracy out.")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A file of estimators; repeatable.")
@click.option("--problem", "problem_files", multiple=True, metavar="FILE", help="A file of problems; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def compare(names: tuple[str, ...], **settings: Any) -> None:
    """Time estimators in the same rounds, against the first one, and say which is faster.

    A name may carry options: fd_ssm:eps=0.1,probes=4. Exit code 0 whatever the verdicts.
    """
    from bench import problems
    from bench.comparison import side_by_side
    from bench.measure import Bench, Limits
    from bench.sweep.plugins import load_plugin, load_problem

    for file in settings["plugins"]:
        load_plugin(file)
    for file in settings["problem_files"]:
        load_problem(file)
    if len(names) < 2:
        raise click.UsageError("compare takes at least two estimators, for example: compare ssm fd_ssm")
    points = [_point(name, settings) for name in names]
    if len({point.quantity for point in points}) > 1:
        listed = ", ".join(f"{point.estimator} ({point.quantity})" for point in points)
        raise click.UsageError(f"estimators of one quantity can be compared; got {listed}")
    problems.prepare(points[0].problem)
    with Bench(Limits.of_this_machine(), settings["plugins"], settings["problem_files"], predict=False) as bench:
        rows: list[Row | None] = [None] * len(points) if settings["time_only"] else _solo(bench, points)
        found = side_by_side(bench, points, call=settings["call"], rounds=settings["rounds"])
    if settings["as_json"]:
        click.echo(json.dumps([_as_dict(*pair) for pair in zip(found, rows, strict=True)], indent=2))
    else:
        _print(found, rows, settings["call"])


def _point(text: str, settings: dict[str, Any]) -> Point:
    """The point of one argument, NAME or NAME:OPTION=VALUE,…; whatever is wrong is said before anything runs."""
    import estimators
    from bench.point import Point
    from bench.sweep import vocabulary
    from estimators.arguments import check_options

    name, _, given = text.partition(":")
    try:
        estimator = estimators.get(name)
        options = check_options(estimator, _options(given, text))
    except (KeyError, ValueError) as error:
        raise click.UsageError(str(error.args[0])) from None
    spec = _spec(settings)
    objection = vocabulary.objection(spec)
    reason = objection[1] if objection else vocabulary.misfit(spec, estimator.quantity, estimator.needs)
    if reason:
        raise click.UsageError(f"{name}: {reason}")
    order = settings["order"]
    if order is None:
        order = estimator.orders[0] if isinstance(estimator.orders, tuple) else 2
    if not estimator.supports(order):
        raise click.UsageError(f"{name} does order {', '.join(map(str, estimator.orders))}; not {order}")
    return Point(
        estimator=name,
        quantity=estimator.quantity,
        problem=spec,
        order=order,
        options=options,
        dtype=settings["dtype"],
        device=settings["device"],
        threads=settings["threads"],
        draws=settings["draws"] if estimator.stochastic else 1,
        target=estimator.target,
    )


def _spec(settings: dict[str, Any]) -> ProblemSpec:
    from bench.point import ProblemSpec

    names = ("model", "data", "dim", "depth", "width", "activation", "batch")
    return ProblemSpec(**{name: settings[name] for name in names})


def _options(given: str, text: str) -> dict[str, Any]:
    options = {}
    for part in filter(None, given.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise click.UsageError(f"{text}: options are written NAME:OPTION=VALUE,OPTION=VALUE")
        try:
            options[name.strip()] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name.strip()] = value
    return options


def _solo(bench: Any, points: list[Point]) -> list[Row | None]:
    """Memory and accuracy of each point, alone."""
    from bench.solo import solo

    rows: list[Row | None] = []
    missing: dict[tuple[str, int, str], str] = {}
    for point in points:
        which = (point.quantity, point.order, point.target)
        if which not in missing:
            missing[which] = bench.reference(point.problem, *which, point.threads)
        rows.append(solo(bench, point, missing[which]).row)
    return rows


def _as_dict(compared: Compared, row: Row | None) -> dict[str, Any]:
    from dataclasses import asdict

    columns = ("outcome", "reason", "peak_step_bytes", "grad_bias", "grad_bias_low", "grad_bias_high", "grad_std")
    return {
        **compared.point.identity(),
        "time_s": compared.median_s,
        "time_low_s": compared.low_s,
        "time_high_s": compared.high_s,
        "ratios": list(compared.ratios),
        "verdict": asdict(compared.verdict) if compared.verdict else None,
        "failure": compared.failure,
        **{name: (row or {}).get(name) for name in columns},
    }


def _print(found: list[Compared], rows: list[Row | None], call: str) -> None:
    from bench.comparison import LOOKS
    from bench.statistics.verdict import statement
    from bench.verbs._table import console as make_console
    from bench.verbs._table import table as make_table

    console, problem = make_console(), found[0].point.problem
    where = f"{problem.model}, {problem.data}, D = {problem.dim}, depth {problem.depth}, order {found[0].point.order}"
    columns = ("estimator", call, "ratio", "interval", "verdict", "memory", "bias", "std")
    table = make_table(where, *columns, right=(call, "ratio", "memory", "bias", "std"), wrap=("estimator",))
    for compared, row in zip(found, rows, strict=True):
        table.add_row(_name(compared.point, breaks=True), *_timing(compared, compared is found[0]), *_accuracy(row))
    console.print(table)
    for compared, row in zip(found, rows, strict=True):
        failure = compared.failure or (row and row["outcome"] != "ok" and f"{row['outcome']}: {row['reason']}")
        if failure:
            console.print(f"{_name(compared.point)}: {' '.join(str(failure).split())[:200]}")
    console.print(
        f"ratios are to {_name(found[0].point)}, round by round; {statement(max(1, len(found) - 1), looks=len(LOOKS))}"
    )


def _timing(compared: Compared, is_baseline: bool) -> tuple[str, str, str, str]:
    if compared.median_s is None:
        return "–", "–", "", "failed"
    time = _seconds(compared.median_s)
    if compared.verdict is None:
        return time, "1" if is_baseline else "–", "", "baseline" if is_baseline else "no baseline"
    v = compared.verdict
    return time, f"{v.ratio:.3f}", f"{v.low:.3f}–{v.high:.3f}", v.word


def _accuracy(row: Row | None) -> tuple[str, str, str]:
    if row is None or row.get("grad_bias") is None:
        peak = (row or {}).get("peak_step_bytes")
        return f"{peak / 2**20:.2f} MiB" if peak is not None else "–", "–", "–"
    low, high = row["grad_bias_low"], row["grad_bias_high"]
    bias = f"{row['grad_bias']:.1e}" if row["bias_resolved"] or low == high else f"< {high:.1e}"
    return f"{row['peak_step_bytes'] / 2**20:.2f} MiB", bias, f"{row['grad_std']:.2g}"


def _name(point: Point, breaks: bool = False) -> str:
    """As it is written on the command line; with ``breaks``, where a narrow table may go on in the next line."""
    import estimators

    default = estimators.get(point.estimator).options
    changed = [f"{k}={v}" for k, v in point.options.items() if v != default.get(k)]
    if not changed:
        return point.estimator
    return f"{point.estimator}: {', '.join(changed)}" if breaks else f"{point.estimator}:{','.join(changed)}"


def _seconds(value: float) -> str:
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"

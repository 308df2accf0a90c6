"""What changed between two commits, or two stores: slower, heavier, more biased, broken, or the same."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bench.diff import Change
    from bench.point import Point

_RULE = (
    "time: ratio in the same rounds (stores: through the anchor), at 99 % for all together; memory: above 1 %; "
    "bias: how far the expected gradient moved, relative to the exact one"
)
FAILS = {"slower": "slower", "heavier": "heavier", "biased": "more biased"}


def _fail_on(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    words = tuple(word.strip() for word in (value or "").split(",") if word.strip())
    for word in words:
        if word not in FAILS:
            raise click.BadParameter(f"no verdict called {word!r}; allowed: {', '.join(FAILS)}")
    return words


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--sweep", default="smoke", show_default=True, help="Commits: the points to measure.")
@click.option("--estimators", "only", help="Only these, with commas between.")
@click.option("--measure-all", is_flag=True, help="Commits: measure points of unchanged source too.")
@click.option("--rounds", type=click.IntRange(min=8), help="Commits: rounds of timing with each launch of the workers.")
@click.option("--problem", "problem_files", multiple=True, metavar="FILE", help="A file of problems; repeatable.")
@click.option(
    "--fail-on",
    callback=_fail_on,
    metavar="slower,heavier,biased",
    help="Exit with 1 on any of these, and on what broke.",
)
@click.option("--all", "show_all", is_flag=True, help="Show what is the same, too.")
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def diff(
    old: str,
    new: str,
    sweep: str,
    only: str | None,
    measure_all: bool,
    rounds: int | None,
    problem_files: tuple[str, ...],
    fail_on: tuple[str, ...],
    show_all: bool,
    as_json: bool,
) -> None:
    """Compare OLD with NEW: two commits, measured in the same rounds, or the files of two stores.

    Two commits run with this checkout's bench and this environment's torch; only their estimators differ. Two stores
    were measured at different times, so their times compare through the anchor of each window, and a change has to be
    larger to be named.
    """
    names = tuple(name.strip() for name in (only or "").split(",") if name.strip())
    if Path(old).is_file() and Path(new).is_file():
        changes, environment = _stores(old, new, names)
    elif Path(old).is_file() or Path(new).is_file():
        raise click.UsageError(f"{old} and {new}: give two stores or two commits, not one of each")
    else:
        changes, environment = _commits(
            old, new, _points(sweep, names, problem_files), rounds, measure_all, problem_files
        )
    from bench.diff.change import BROKEN

    if as_json:
        click.echo(json.dumps({"environment": environment, "changes": [asdict(c) for c in changes]}, indent=2))
    else:
        _print(changes, environment, show_all)
    if fail_on and {change.word for change in changes} & {BROKEN, *(FAILS[word] for word in fail_on)}:
        raise SystemExit(1)


def _points(sweep: str, names: tuple[str, ...], problem_files: tuple[str, ...]) -> list[Point]:
    from bench.sweep import load
    from bench.sweep.errors import hint
    from bench.sweep.plugins import load_problem

    for file in problem_files:
        load_problem(file)
    points = load(sweep).points()
    known = {point.estimator for point in points}
    for name in names:
        if name not in known:
            raise click.UsageError(f"sweep {sweep} has no estimator {name!r}{hint(name, known)}")
    return [point for point in points if not names or point.estimator in names]


def _commits(
    old: str, new: str, points: list[Point], rounds: int | None, measure_all: bool, problem_files: tuple[str, ...]
) -> tuple[list[Change], list[str]]:
    from rich.console import Console
    from rich.progress import Progress

    from bench.comparison import ROUNDS
    from bench.diff import between_commits
    from bench.diff.environment import of_commits

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("unpacking", total=None)

        def stage(text: str, done: int, total: int) -> None:
            progress.update(task, description=text, completed=done, total=total)

        changes = between_commits(
            old,
            new,
            points,
            rounds=rounds or ROUNDS,
            measure_all=measure_all,
            problem_files=problem_files,
            on_stage=stage,
        )
    return changes, of_commits(old, new)


def _stores(old: str, new: str, names: tuple[str, ...]) -> tuple[list[Change], list[str]]:
    from bench.diff import between_stores
    from bench.diff.stores import environment_differences
    from bench.store import Store

    with Store(old, must_exist=True) as first, Store(new, must_exist=True) as second:
        before, after = (
            [row for row in store.rows(finished_only=True) if not names or row["estimator"] in names]
            for store in (first, second)
        )
    return between_stores(before, after), environment_differences(before, after)


def _print(changes: list[Change], environment: list[str], show_all: bool) -> None:
    from bench.diff.change import BROKEN, NEUTRAL
    from bench.verbs._table import console as make_console
    from bench.verbs._table import table as make_table

    console = make_console()
    for difference in environment:
        console.print(f"environment: {difference}")
    order = {"unclear": 1, "same": 2}
    without_numbers = (BROKEN, "not comparable")
    shown = [change for change in changes if change.word not in without_numbers and (show_all or change.word != "same")]
    if shown:
        right = ("old", "new", "change")
        table = make_table("", "what", "verdict", "old", "new", "change", "interval", right=right, wrap=("what",))
        for change in sorted(shown, key=lambda change: order.get(change.word, 0)):
            table.add_row(change.label, _word(change), *_numbers(change))
        console.print(table)
    missing: dict[tuple[str, str, str], list[str]] = {}
    for change in changes:
        if change.word in without_numbers:
            missing.setdefault((change.word, change.label, change.note), []).append(change.measure)
    for (word, label, note), measures in sorted(missing.items(), key=lambda item: without_numbers.index(item[0][0])):
        console.print(f"{word}: {label}, {', '.join(measures)}: {note}")
    counts = Counter(change.word for change in changes)
    words = [word for word in counts if word not in NEUTRAL] + [word for word in NEUTRAL if word in counts]
    console.print(", ".join(f"{counts[word]} {word}" for word in words) or "nothing to compare")
    console.print(_RULE, style="dim")


def _word(change: Change) -> str:
    return change.word if change.word not in ("same", "unclear") else f"{change.measure} {change.word}"


def _numbers(change: Change) -> tuple[str, str, str, str]:
    form = {"time": _seconds, "memory": _bytes, "bias": "{:.2g}".format}[change.measure]
    old, new = ("–" if value is None else form(value) for value in (change.old, change.new))
    if change.ratio is None:
        return old, new, "", ""
    if change.measure == "bias":
        interval = "" if change.low is None else f"{100 * change.low:.2g} to {100 * change.high:.2g} %"  # type: ignore[operator]
        return old, new, f"{100 * change.ratio:.2g} %", interval
    interval = "" if change.low is None else f"{100 * (change.low - 1):+.1f} to {100 * (change.high - 1):+.1f} %"  # type: ignore[operator]
    return old, new, f"{100 * (change.ratio - 1):+.1f} %", interval


def _seconds(value: float) -> str:
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"


def _bytes(value: float) -> str:
    return f"{value / 2**20:.3g} MiB"

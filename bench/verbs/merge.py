"""Join the stores of several machines or shards into one, and show where they disagree."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

    from bench.store.merge import Conflict

_SHOWN = 20


@click.command("merge")
@click.argument("stores", nargs=-1, required=True, metavar="STORE…")
@click.option("--into", required=True, help="The store to write; made if it is not there, joined if it is.")
@click.option("--json", "as_json", is_flag=True, help="The counts and all conflicts as JSON.")
@click.option("--fail-on-conflict", is_flag=True, help="Exit with 1 if two stores disagree on a point.")
def merge(stores: tuple[str, ...], into: str, as_json: bool, fail_on_conflict: bool) -> None:
    """Join the rows and training runs of STORE… into one store, by their keys.

    Where a point was measured twice with different results, the row that came first stays and the other one is kept
    aside in the same file. A key holds the hardware class, so different machines do not conflict.
    """
    from bench.store import Store
    from bench.store.merge import merge as merge_store

    for path in stores:
        if Path(path).resolve() == Path(into).resolve():
            raise click.UsageError(f"{path} is both read and written; give --into another path")
    report: dict[str, Any] = {}
    conflicts: list[tuple[str, Conflict]] = []
    with ExitStack() as opened:
        sources = [opened.enter_context(Store(path, must_exist=True)) for path in stores]
        target = opened.enter_context(Store(into))  # last: nothing is made where one of the others is no store
        for path, source in zip(stores, sources, strict=True):
            if source.recovered:
                click.echo(source.recovered, err=True)
            merged = merge_store(source, target)
            conflicts += [(path, conflict) for conflict in merged.conflicts]
            counted = {"added": merged.added, "same": merged.same, "conflicts": len(merged.conflicts)}
            report[path] = {**counted, "training_added": merged.trained, "training_same": merged.trained_same}
            if not as_json:
                counts = f"{merged.added} rows added, {merged.same} there already, {len(merged.conflicts)} in conflict"
                if merged.trained or merged.trained_same:
                    counts += f"; {merged.trained} training runs added, {merged.trained_same} there already"
                click.echo(f"{path}: {counts}")
        if as_json:
            click.echo(json.dumps({"stores": report, "conflicts": [_facts(*c) for c in conflicts]}, indent=2))
        elif conflicts:
            _print(conflicts)
        if not as_json:
            trained = sum(1 for _ in target.training_runs())
            click.echo(f"{into}: {len(target)} rows" + (f", {trained} training runs" if trained else ""))
    if conflicts and fail_on_conflict:
        raise SystemExit(1)


def _facts(path: str, conflict: Conflict) -> dict[str, Any]:
    differs = {name: [conflict.kept[name], conflict.other[name]] for name in conflict.columns}
    return {"store": path, "key": conflict.kept["key"], "estimator": conflict.kept["estimator"], "differs": differs}


def _print(conflicts: list[tuple[str, Conflict]]) -> None:
    from bench.verbs._table import console

    console().print(_table(conflicts))
    if len(conflicts) > _SHOWN:
        click.echo(f"and {len(conflicts) - _SHOWN} more: --json shows them all")
    click.echo("kept: the row that came first; the others are in the table `replaced` of the same file")


def _table(conflicts: list[tuple[str, Conflict]]) -> Table:
    from bench.verbs._table import table as make_table

    made = make_table("conflicts", "estimator", "dim", "depth", "differs", "kept", "other", wrap=("differs",))
    for _, conflict in sorted(conflicts, key=lambda one: not one[1].outcomes_differ)[:_SHOWN]:
        shown = _most_telling(conflict)
        size = [str(conflict.kept[name]) for name in ("dim", "depth")]
        more = f" and {len(conflict.columns) - 1} more" if len(conflict.columns) > 1 else ""
        values = [_short(row[shown]) for row in (conflict.kept, conflict.other)]
        made.add_row(str(conflict.kept["estimator"]), *size, shown + more, *values)
    return made


def _most_telling(conflict: Conflict) -> str:
    """The column to show: how the point ended, else its time, else the first that differs."""
    return next(
        (name for name in ("outcome", "time_step_s", "grad_std") if name in conflict.columns), conflict.columns[0]
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:24]

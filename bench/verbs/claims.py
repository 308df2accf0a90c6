"""The papers' claims, each measured here: the ledger with a verdict for each."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.verbs._progress import PointProgress, TrainingProgress

if TYPE_CHECKING:
    from bench.claims import Claim, Entry
    from bench.store import Store

TITLE = "The papers' claims"
TRAINING_TIMEOUT_S = 1800.0


@click.command("claims")
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option(
    "--store",
    "store_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where rows are and go. [results/bench.sqlite]",
)
@click.option("--jobs", type=click.IntRange(1), help="Points at once in the pass without timing. [all cores]")
@click.option("--list", "only_list", is_flag=True, help="The claims and their points; measures nothing.")
@click.option("--stored", is_flag=True, help="The ledger from what the store has; measures nothing.")
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
@click.option(
    "--readme",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A document between whose markers the ledger's summary is put.",
)
@click.option("--note", default="", help="A sentence on the circumstances, for the summary.")
def claims(
    names: tuple[str, ...],
    store_path: Path | None,
    jobs: int | None,
    only_list: bool,
    stored: bool,
    as_json: bool,
    readme: Path | None,
    note: str,
) -> None:
    """Measure what the claims of NAME… need and the store lacks, and say which are reproduced.

    Without a name, all of them: a quarter of an hour on two quiet cores from an empty store. Exit code 0 whatever the
    verdicts.
    """
    from bench.claims import chosen, entries_of_store
    from bench.claims.summary import insert, summary
    from bench.store import DEFAULT_PATH, Store

    asked = chosen(names)
    if readme is not None and names:
        raise click.UsageError("--readme takes the whole ledger; leave the names out")
    if readme is not None:
        insert(readme.read_text(encoding="utf-8"), "")  # refused before anything is measured
    if only_list:
        _list(asked, as_json)
        return
    with Store(store_path or DEFAULT_PATH, must_exist=stored) as store:
        if store.recovered:
            click.echo(store.recovered, err=True)
        if not stored:
            _measure(asked, store, jobs)
        entries = entries_of_store(asked, store)
        how = _how(store, note)
    if readme is not None and stored and (missing := sum(e.verdict.word == "not measured yet" for e in entries)):
        raise click.UsageError(
            f"{missing} claims are not measured yet in {store_path or DEFAULT_PATH}: leave --stored out"
        )
    if readme is not None:
        text = insert(readme.read_text(encoding="utf-8"), summary(entries, how))
        readme.write_text(text, encoding="utf-8")
        click.echo(f"the ledger is in {readme}", err=True)
    if as_json:
        click.echo(json.dumps([entry.as_dict() for entry in entries], indent=2, ensure_ascii=False))
        return
    _table(entries)
    if names:
        for entry in entries:
            _detail(entry)
    else:
        click.echo("`claims NAME` tells what a verdict rests on")


def _measure(asked: list[Claim], store: Store, jobs: int | None) -> None:
    from bench import machine, runner
    from bench.claims import points_of, runs_of
    from bench.measure import Bench, Limits
    from bench.train import runner as training_runner

    plan, trainings = runner.plan(points_of(asked), (), store), training_runner.plan(runs_of(asked), store)
    present = plan.present + trainings.present
    there = f", {present} are in {store.path} already" if present else ""
    wanted = f"{len(plan)} points to measure" + (f" and {len(trainings.todo)} runs to train" if trainings.keys else "")
    click.echo(f"{len(asked)} claim{'s' if len(asked) > 1 else ''}, {wanted}{there}", err=True)
    if not len(plan) and not trainings.todo:
        return
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    seeds = {at.problem.seed for at in (*points_of(asked), *(training.point for training in runs_of(asked)))}
    store.begin_run(TITLE, command, json.dumps(machine.fingerprint()), machine.commit(), seeds)
    try:
        if len(plan):
            with PointProgress(plan) as watcher, Bench(Limits.of_this_machine()) as bench:
                runner.run(plan, store, bench, jobs or runner.default_jobs(), watcher)
        if trainings.todo:
            limits = Limits.of_this_machine(TRAINING_TIMEOUT_S)
            with TrainingProgress(trainings, store) as on_mark, Bench(limits) as bench:
                training_runner.run(trainings, store, bench, TITLE, on_mark)
    except KeyboardInterrupt:
        click.echo(f"\nstopped; everything measured is in {store.path}; the same command goes on from here", err=True)
        raise SystemExit(130) from None


def _how(store: Store, note: str) -> str:
    """Where, when and with what the ledger was measured last."""
    made = next((run for run in reversed(store.runs()) if run["title"] == TITLE), None)
    if made is None:
        return note
    m = json.loads(made["machine"])
    where = f"{m['cpu']}, {m['cores_usable']} of {m['cores_logical']} cores, Python {m['python']}, torch {m['torch']}"
    return f"Last measured on {made['started'][:10]}: {where}, commit {made['commit'][:9]}. {note}".rstrip()


def _list(asked: list[Claim], as_json: bool) -> None:
    from bench.verbs._table import console as make_console
    from bench.verbs._table import table as make_table

    if as_json:
        facts = [
            {"name": c.name, "subject": c.subject, "claim": c.says, "points": len(c.points()), "runs": len(c.runs())}
            for c in asked
        ]
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    table = make_table("", "claim", "says", "points", "runs", right=("points", "runs"), wrap=("claim", "says"))
    for claim in asked:
        says = f"{claim.says} {claim.paper.authors.split(',')[0]} {claim.paper.year}"
        table.add_row(claim.name, says, str(len(claim.points())), str(len(claim.runs())))
    make_console().print(table)


def _table(entries: list[Entry]) -> None:
    from collections import Counter

    from bench.verbs._table import console as make_console
    from bench.verbs._table import table as make_table

    table = make_table("", "claim", "verdict", "here", "paper", wrap=("verdict", "here", "paper"))
    for entry in entries:
        table.add_row(entry.claim.name, entry.verdict.word, entry.verdict.ours, entry.claim.figure)
    make_console().print(table)
    words = Counter(entry.verdict.word for entry in entries)
    click.echo(", ".join(f"{count} {word}" for word, count in words.most_common()))


def _detail(entry: Entry) -> None:
    from bench.verbs._table import console as make_console

    claim, verdict, console = entry.claim, entry.verdict, make_console()
    console.print(f"\n{claim.name}: {verdict.word}", style="bold")
    console.print(f"{claim.says} {claim.paper}; {claim.place}.")
    console.print(f"Paper: {claim.figure} ({claim.known}).")
    console.print(f"Here: {verdict.sentence}")
    for finding in verdict.findings:
        held = {True: "holds", False: "does not hold", None: "undecided"}[finding.holds]
        console.print(f"  {finding.what}: {finding.figure}, asked: {finding.asked}: {held}")
    rests = " and ".join(
        f"{len(them)} {what}" for them, what in ((entry.points, "points"), (entry.runs, "training runs")) if them
    )
    console.print(f"Measured: {claim.measures} {rests or 'No points'}, {entry.seconds:.0f} s.")
    console.print(f"Rule: {claim.rule}")

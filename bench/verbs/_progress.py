"""The progress of long work: a bar with the time left, and for a run its points, measured and then timed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress

    from bench.runner import Plan, Watcher
    from bench.store import Store
    from bench.train.runner import Plan as TrainingPlan
    from bench.train.training import Training


def bar() -> Progress:
    """A bar on standard error: how many of how many, the time spent and left, and what is done now."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
    )


class PointProgress:
    """A bar with the time left on a terminal; a line a stage elsewhere."""

    def __init__(self, plan: Plan) -> None:
        self.total = 2 * len(plan) - len(plan.solo_done)  # each point is measured, then timed
        self.progress = bar()
        self.solo_keys = set(plan.solo_done)

    def __enter__(self) -> Watcher:
        from bench.runner import Watcher

        self.progress.start()
        self.task = self.progress.add_task("starting", total=max(1, self.total))
        return Watcher(on_stage=self._stage, on_solo=self._solo, on_row=self._row, on_note=self._note)

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def _stage(self, text: str) -> None:
        from rich.markup import escape

        self.progress.update(self.task, description=escape(text))
        if not self.progress.console.is_terminal:
            click.echo(text, err=True)

    def _note(self, text: str) -> None:
        from rich.markup import escape

        self.progress.console.print(escape(text), soft_wrap=True)

    def _solo(self, row: dict[str, Any]) -> None:
        self.solo_keys.add(row["key"])
        self.progress.advance(self.task)

    def _row(self, row: dict[str, Any]) -> None:
        if row["outcome"] != "skipped":
            self.progress.advance(self.task, 1 if row["key"] in self.solo_keys else 2)
            self.solo_keys.discard(row["key"])


class TrainingProgress:
    """A bar of evaluations with the time left on a terminal; a line a run elsewhere."""

    def __init__(self, plan: TrainingPlan, store: Store) -> None:
        done = sum(sum(1 for _ in store.training_points(name)) for name in plan.todo)
        self.total = sum(training.marks + 1 for training in plan.todo.values()) - done
        self.progress = bar()
        self.last = ""

    def __enter__(self) -> Any:
        self.progress.start()
        self.task = self.progress.add_task("starting", total=max(1, self.total))
        return self._mark

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def _mark(self, training: Training, place: int) -> None:
        from rich.markup import escape

        self.progress.update(self.task, advance=1, description=escape(training.label))
        if not self.progress.console.is_terminal and training.label != self.last:
            click.echo(training.label, err=True)
        self.last = training.label

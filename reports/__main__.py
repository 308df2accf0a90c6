"""`python -m reports build` writes the report; `python -m reports figure NAME` writes one figure for print."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reports.frames import rows as store_rows
from reports.frames.points import points
from reports.palette import marks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ASV = click.option(
    "--asv", default=".asv/results", show_default=True, metavar="DIR", help="asv's results, for the history"
)
HISTORY = click.option(
    "--history",
    "further",
    multiple=True,
    metavar="STORE",
    help="a further store, or a folder of them, for the history; may be repeated",
)
COSTS = ("time_step_s", "peak_step_bytes", "flops_step", "energy_j")
ERRORS = ("rmse", "grad_bias", "grad_std")
STORE = click.option("--store", default="results/bench.sqlite", show_default=True, help="the store to read")


@contextmanager
def _usage() -> Iterator[None]:
    """Our own errors are bad usage; any other ValueError is a fault of the program and keeps its traceback."""
    try:
        yield
    except ValueError as error:
        ours = type(error).__module__.startswith(("bench.", "reports.")) and type(error).__name__.endswith("Error")
        if not ours:
            raise
        raise click.UsageError(str(error)) from None


@click.group()
def main() -> None:
    """Reports from a store of measurements."""


@main.command()
@STORE
@click.option("--out", default="reports/html", show_default=True, help="the folder to write")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="a file of estimators, for what they declare")
@ASV
@HISTORY
def build(store: str, out: str, plugins: tuple[str, ...], asv: str, further: tuple[str, ...]) -> None:
    """Write the offline report."""
    from bench.sweep.plugins import load_plugin
    from reports.frames.history import history, load_rows
    from reports.frames.samples import load as load_samples
    from reports.frames.training import load as load_training
    from reports.pages.build import build as write

    with _usage():
        for file in plugins:
            load_plugin(file)
        followed = history(load_rows([store, *further]), asv)
        trained, galleries = load_training(store), load_samples(store)
        index = write(store_rows.load(store), out, store, store_rows.load_runs(store), followed, trained, galleries)
    click.echo(f"report: {index.resolve()}")


@main.command()
@click.argument("name")
@STORE
@click.option("--format", "format_", type=click.Choice(["svg", "pdf", "png"]), default="svg", show_default=True)
@click.option("--out", default=None, help="the file to write; by default NAME.FORMAT in reports/html/figures")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="keep the rows with this value; may be repeated")
@click.option("--cost", type=click.Choice(COSTS), default=None, help="for work_precision, scaling and heat_map")
@click.option("--error", type=click.Choice(ERRORS), default=None, help="for work_precision")
@ASV
@HISTORY
def figure(
    name: str,
    store: str,
    format_: str,
    out: str | None,
    where: tuple[str, ...],
    cost: str | None,
    error: str | None,
    asv: str,
    further: tuple[str, ...],
) -> None:
    """Write the figure NAME for print."""
    from reports.figures import history as over_commits
    from reports.figures import samples, training, training_noise
    from reports.figures.catalogue import FIGURES
    from reports.frames.history import history, load_rows
    from reports.frames.samples import load as load_samples
    from reports.frames.slice import keep
    from reports.frames.training import load as load_training
    from reports.frames.training import names

    drawn: Figure
    others = (training.NAME, training_noise.NAME, samples.NAME, over_commits.NAME)
    if name not in (*FIGURES, *others):
        raise click.UsageError(f"no figure called {name!r}; there are {', '.join((*FIGURES, *others))}")
    chosen = {option: value for option, value in (("cost", cost), ("error", error)) if value}
    known = {} if name in others else signature(FIGURES[name].on_paper).parameters
    for option in chosen:
        if option not in known:
            raise click.UsageError(f"the figure {name} has no --{option}")
    with _usage():
        if name == over_commits.NAME:
            followed = history(load_rows([store, *further]), asv)
            followed = replace(followed, rows=keep(followed.rows, where))
            drawn = over_commits.on_paper(followed, marks(followed.rows["estimator"]))
        elif name in others:
            trained = keep(load_training(store), where)
            if name == samples.NAME:
                wanted = set(trained["problem"])
                galleries = [gallery for gallery in load_samples(store) if gallery.problem in wanted]
                drawn = samples.on_paper(galleries, names(trained))
            else:
                shown = training_noise.marks_of(trained)
                drawn = (training if name == training.NAME else training_noise).on_paper(trained, shown)
        else:
            frame = keep(points(store_rows.load(store)), where)
            drawn = FIGURES[name].on_paper(frame, marks(frame["estimator"]), **chosen)
    path = Path(out or f"reports/html/figures/{name}.{format_}")
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.savefig(path, format=format_)
    click.echo(f"figure: {path.resolve()}")


@main.command()
@STORE
@click.option("--format", "format_", type=click.Choice(["markdown", "latex"]), default="markdown", show_default=True)
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="keep the rows with this value; may be repeated")
def table(store: str, format_: str, where: tuple[str, ...]) -> None:
    """Print the points as a table for a paper."""
    from reports.frames.slice import keep
    from reports.tables import table as written

    with _usage():
        click.echo(written(keep(points(store_rows.load(store)), where), format_), nl=False)


def run(arguments: list[str] | None = None) -> int:
    """Run a command; errors of usage become one line on standard error and exit code 2."""
    try:
        main.main(arguments, prog_name="python -m reports", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as help_:
        click.echo(help_.ctx.get_help())
        return 2
    except click.ClickException as error:
        click.echo("error: " + " ".join(error.format_message().split()), err=True)
        return 2
    except click.Abort:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(run())

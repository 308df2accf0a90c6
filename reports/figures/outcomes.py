"""Outcomes: how each estimator's points ended. Nothing that was planned is missing."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd
from matplotlib.figure import Figure

from bench.columns import OUTCOMES
from reports.figures import paper, screen
from reports.palette import Mark

NAME = "outcomes"
TITLE = "Outcomes"
ALT = "Stacked bars: for each estimator, how many of its points ended in each outcome."
COLOURS = dict(
    zip(OUTCOMES, ("#b9d6ea", "#E69F00", "#c4c9cf", "#D55E00", "#CC79A7", "#882255", "#444444", "#e4e7eb"), strict=True)
)


def data(points: pd.DataFrame) -> pd.DataFrame:
    """Counts by estimator and outcome, in the order of the outcomes."""
    counts = points.groupby(["estimator", "outcome"]).size().rename("count").reset_index()
    counts["rank"] = counts["outcome"].map({outcome: rank for rank, outcome in enumerate(OUTCOMES)})
    return counts.sort_values(["estimator", "rank"]).reset_index(drop=True)


def on_screen() -> alt.LayerChart:
    """The chart the page fills: rows with estimator, outcome, rank, start, end and text."""
    points = alt.Chart(screen.data("points"))
    y = alt.Y("estimator:N", axis=alt.Axis(title=None, labelLimit=220, grid=False))
    x = alt.X("start:Q", axis=alt.Axis(title="points", tickMinStep=1, tickCount=8, format="d"))
    colour = alt.Color("outcome:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), legend=None)
    dark = "indexof(['timeout', 'error', 'crashed', 'out_of_memory'], datum.outcome) >= 0"
    return alt.layer(
        points.mark_bar(tooltip={"content": "data"}, stroke="white").encode(x, alt.X2("end"), y, colour),
        points.mark_text(fontSize=11, aria=False).encode(
            x=alt.X("middle:Q"),
            y=y,
            text="text:N",
            color=alt.condition(dark, alt.value("white"), alt.value(screen.INK)),
        ),
    )


def on_paper(points: pd.DataFrame, marks: Mapping[str, Mark]) -> Figure:
    """The same bars for print."""
    counts = data(points)
    names = sorted(set(counts["estimator"]), reverse=True)
    figure, axes = paper.canvas(height=1.0 + 0.2 * len(names))
    table = counts.pivot(index="estimator", columns="outcome", values="count").reindex(names).fillna(0)
    start = pd.Series(0.0, index=names)
    for outcome in OUTCOMES:
        if outcome in table:
            axes.barh(
                [n[:40] for n in names],
                table[outcome],
                left=start,
                color=COLOURS[outcome],
                label=outcome.replace("_", " "),
            )
            start = start + table[outcome]
    axes.set_xlabel("points")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure

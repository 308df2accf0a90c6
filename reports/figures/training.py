"""Training: the exact objective on held-out rows against steps and against seconds, with bands over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.figures import paper, screen
from reports.frames.families import OTHERS, coinciding, families, highlighted
from reports.frames.training import AXES, curves, names
from reports.palette import Mark

NAME = "training"
TITLE = "Training"
ALT = "Falling lines with bands: the exact objective of each estimator's runs against steps and against seconds."
Y_TITLE = "Exact objective on held-out rows"
PANEL_HEIGHT = 300


def data(frame: pd.DataFrame, axis: str, column: str = "objective") -> pd.DataFrame:
    """The curves of one problem, ready for either renderer; a label has a mark, as an estimator has elsewhere."""
    found = curves(frame, axis, column)
    return found.assign(
        estimator=found["label"],
        title=[
            f"{row.label}: {row.y:.4g} ({row.y_low:.4g} to {row.y_high:.4g}) over {row.seeds} seeds at {row.x:.4g}"
            for row in found.itertuples()
        ],
    )


def domain(values: pd.Series, ticks_at_most: int = 7) -> tuple[list[float], list[float]]:
    """A linear axis around the values, and its ticks."""
    known = [float(value) for value in values if np.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    pad = 0.04 * (high - low) or 1.0
    ends = [low - (pad if low != 0 else 0.0), high + pad]
    ticks = [float(tick) for tick in MaxNLocator(ticks_at_most).tick_values(*ends) if ends[0] <= tick <= ends[1]]
    return ends, ticks


def _cut(found: pd.DataFrame) -> pd.Series:
    """Upper ends of bands, no higher above the medians than a quarter of the axis: one run that rose hides no other."""
    return found["y_high"].clip(upper=found["y"].max() + 0.25 * (found["y"].max() - found["y_low"].min()))


def settings(frame: pd.DataFrame, axis: str, own: list[str] | None = None) -> dict[str, Any]:
    """What the page's script needs to draw one problem against one axis: rows, axes, and texts for readers.

    Args:
        frame: evaluations of one problem.
        axis: one of ``AXES``.
        own: the labels of one family, to be drawn on the axes of all; None for all.
    """
    found = data(frame, axis)
    x, x_ticks = domain(found["x"], 7 if own is None else 4)
    y, y_ticks = domain(pd.concat([found["y_low"], _cut(found)]))
    together = [labels for labels in coinciding(found) if own is None or set(labels) <= set(own)]
    shown = found if own is None else highlighted(found, own)
    told = shown[shown["estimator"] != OTHERS]
    ends = ", ".join(f"{label} {group['y'].iloc[-1]:.4g}" for label, group in told.groupby("label"))
    axes = {"x_title": AXES[axis], "x_domain": x, "x_ticks": x_ticks, "y_title": Y_TITLE, "y_domain": y}
    return {
        "points": shown.to_dict("records"),
        "settings": {**axes, "y_ticks": y_ticks, "x_unit": "", "y_unit": ""},
        **({} if own is None else {"height": PANEL_HEIGHT}),
        "told": [f"{' and '.join(labels)} lie on each other." for labels in together],
        "alt": f"{Y_TITLE} against {AXES[axis].lower()}; at the end: {ends}."[:900],
    }


def on_screen(y_scale: str = "linear") -> alt.LayerChart:
    """Rows of ``points``: x, y, y_low, y_high, estimator, series, title."""
    points, colour = alt.Chart(screen.data("points")), screen.colour()
    x, y = alt.X("x:Q", **screen.axis("x", "linear")), alt.Y("y:Q", **screen.axis("y", y_scale))
    mark = {"tooltip": {"content": "data"}, "size": 42}
    return alt.layer(
        points.mark_area(opacity=0.15, aria=False).encode(
            x=x, y=alt.Y("y_low:Q"), y2="y_high:Q", color=colour, detail="series:N"
        ),
        points.mark_line(strokeWidth=1.6, opacity=0.8).encode(x=x, y=y, color=colour, detail="series:N", order="x:Q"),
        points.transform_filter(f"datum.estimator != '{OTHERS}'")
        .mark_point(filled=True, opacity=1, **mark)
        .encode(x, y, colour, screen.shape()),
    )


def on_paper(frame: pd.DataFrame, marks: Mapping[str, Mark]) -> Figure:
    """Both axes for print, of the problem with most labels: a row, or a row for each family."""
    if frame.empty:
        figure, axes = paper.canvas(width=7.2)
        axes.text(0.5, 0.5, "no training run has ended", transform=axes.transAxes, ha="center", color="0.4")
        return figure
    problem = crowded(frame)
    chosen = frame[frame["problem"] == problem]
    groups = families(chosen)
    height = 3.4 if len(groups) == 1 else 1.2 + 2.0 * len(groups)
    figure, panels = paper.canvas(
        2, width=7.2, height=height, rows=len(groups), sharex="col", sharey=True, squeeze=False
    )
    for row, (family, labels) in zip(panels, groups.items(), strict=True):
        for axes, axis in zip(row, AXES, strict=True):
            found = data(chosen, axis)
            pale = found[~found["label"].isin(labels)]
            for _, line in pale.groupby("label", sort=True):
                axes.plot(line["x"], line["y"], color="0.8", lw=0.9)
            lines(axes, found[found["label"].isin(labels)], marks)
        row[0].set_ylabel(f"{family}\n{Y_TITLE}" if family else Y_TITLE)
    for axes, words in zip(panels[-1], AXES.values(), strict=True):
        axes.set_xlabel(words)
    seen = pd.concat([data(chosen, axis) for axis in AXES])
    if len(seen):
        panels[0, 0].set_ylim(*domain(pd.concat([seen["y_low"], _cut(seen)]))[0])
    paper.title(panels[0, 0], names(chosen)[problem], 45)
    paper.legend(figure, panels[0, 0], chosen.assign(estimator=chosen["label"]), marks)
    return figure


def lines(axes: Axes, found: pd.DataFrame, marks: Mapping[str, Mark]) -> None:
    """Medians and bands of `data`."""
    for label, line in found.groupby("label", sort=True):
        mark = marks[str(label)]
        axes.fill_between(line["x"], line["y_low"], line["y_high"], color=mark.colour, alpha=0.15, lw=0)
        axes.plot(line["x"], line["y"], color=mark.colour, marker=mark.matplotlib_marker, ms=3, lw=0.9)


def crowded(frame: pd.DataFrame) -> str:
    """The problem with most labels."""
    return max(sorted(set(frame["problem"])), key=lambda p: frame.loc[frame["problem"] == p, "label"].nunique())

"""Error at a budget: the gradient error that a compute budget buys, a fresh batch for every step.

rmse(t) = √(bias² + (σ²_minibatch + σ²_draw)·t₁/t), t₁ the time of one step. The curves fall as t^(−1/2) until the bias
stops them; where two cross, a cheap biased estimator stops beating a dear unbiased one.
"""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures import paper, screen
from reports.frames.slice import fullest
from reports.palette import Mark

NAME = "budget"
TITLE = "Error at a budget"
ALT = "Falling curves on logarithmic axes: gradient error against compute budget, one curve for each estimator."
SAMPLES = 40


def data(points: pd.DataFrame, fixed_batch: bool = False) -> pd.DataFrame:
    """`x` seconds and `y` error along each finished point's curve, from one step to the longest budget."""
    fine = points[points["ok"] & (points["time_step_s"] > 0) & points["bias_sure"].notna()]
    if fine.empty:
        return pd.DataFrame(columns=["estimator", "label", "x", "y"])
    longest = 1e3 * fine["time_step_s"].max()
    curves = []
    for row in fine.itertuples():
        t = np.geomspace(row.time_step_s, longest, SAMPLES)
        noise = np.nan_to_num(row.grad_std) ** 2 + (0.0 if fixed_batch else np.nan_to_num(row.minibatch_std) ** 2)
        error = np.sqrt(row.bias_sure**2 + noise * row.time_step_s / t)
        curves.append(pd.DataFrame({"estimator": row.estimator, "label": row.label, "x": t, "y": error}))
    return pd.concat(curves, ignore_index=True)


def on_screen() -> alt.LayerChart:
    """Rows of ``points``: x, y, estimator, series, rank, and `start` on the first of each curve."""
    points = alt.Chart(screen.data("points"))
    x, y = alt.X("x:Q", **screen.axis("x")), alt.Y("y:Q", **screen.axis("y"))
    start = points.transform_filter("datum.start")
    return alt.layer(
        points.mark_line(strokeWidth=1.7, opacity=0.8).encode(
            x=x, y=y, color=screen.colour(), detail="series:N", order="rank:Q"
        ),
        start.mark_point(filled=True, size=75, opacity=1, tooltip={"content": "data"}).encode(
            x, y, screen.colour(), screen.shape()
        ),
        start.mark_text(align="left", baseline="middle", fontSize=10.5, fill=screen.QUIET, aria=False).encode(
            x=alt.X("text_x:Q"), y=alt.Y("text_y:Q"), text="text:N"
        ),
    )


def on_paper(points: pd.DataFrame, marks: Mapping[str, Mark]) -> Figure:
    """The same for print, of the fullest size and setting among the points."""
    points, title = fullest(points)
    frame = data(points)
    figure, axes = paper.canvas()
    for (estimator, _), curve in frame.groupby(["estimator", "label"], sort=True):
        mark = marks[estimator]
        axes.plot(curve["x"], curve["y"], color=mark.colour, lw=1)
        axes.plot(curve["x"].iloc[:1], curve["y"].iloc[:1], mark.matplotlib_marker, color=mark.colour, ms=5)
    paper.logarithmic(axes)
    axes.set(xlabel="Compute budget (seconds)", ylabel="Gradient error, RMSE (relative)")
    paper.legend(figure, axes, frame, marks)
    paper.title(axes, title)
    return figure

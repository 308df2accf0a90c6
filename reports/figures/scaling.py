"""Scaling: what a step costs as the dimension, the depth or the order grows, everything else held."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures import marks_layer, paper
from reports.frames.slice import fullest
from reports.palette import Mark

NAME = "scaling"
TITLE = "Scaling"
ALT = "Lines on logarithmic axes: cost of one training step against dimension, depth and derivative order."
AXES = {"dim": "Dimension D", "depth": "Depth (hidden layers)", "order": "Derivative order T"}
_INTERVALS = {"time_step_s": ("time_step_low_s", "time_step_high_s")}


def data(points: pd.DataFrame, along: str, cost: str = "time_step_s") -> pd.DataFrame:
    """Cost against `along`, one row per label and size: the median where several points fall together."""
    low, high = _INTERVALS.get(cost, (cost, cost))
    fine = points[points["ok"] & np.isfinite(points[cost]) & np.isfinite(points[along])]
    grouped = fine.groupby(["estimator", "label", along], sort=True)
    frame = grouped.agg(y=(cost, "median"), y_low=(low, "min"), y_high=(high, "max")).reset_index()
    frame = frame.rename(columns={along: "x"}).assign(
        series=lambda f: f["label"], open=False, failed=False, outcome="ok"
    )
    return frame.assign(x_low=frame["x"], x_high=frame["x"])


def on_screen() -> alt.LayerChart:
    """The chart the page fills, once for each axis."""
    return marks_layer.layers()


def on_paper(points: pd.DataFrame, marks: Mapping[str, Mark], cost: str = "time_step_s") -> Figure:
    """A panel for each axis that varies; it holds everything else, at the fullest problem along that axis."""
    along = [axis for axis in AXES if points.loc[points["ok"], axis].nunique() > 1] or ["dim"]
    figure, _ = paper.canvas(columns=len(along), width=1.2 + 2.2 * len(along), height=3.0, sharey=True)
    shown = []
    for axes, axis in zip(figure.axes, along, strict=True):
        held, title = fullest(points, free=(axis,))
        frame = data(held, axis, cost)
        paper.points(axes, frame, marks)
        axes.set_xlabel(AXES[axis])
        paper.title(axes, title, 34)
        paper.logarithmic(axes, sorted(set(frame["x"])))
        shown.append(frame)
    figure.axes[0].set_ylabel(paper.COSTS[cost])
    paper.legend(figure, figure.axes[0], pd.concat(shown), marks)
    return figure

"""Convergence with draws: the error of the mean of the first k draws of one run, as it was measured."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures import marks_layer, paper
from reports.frames.slice import fullest
from reports.palette import Mark

NAME = "convergence"
TITLE = "Convergence with draws"
ALT = "Falling lines on logarithmic axes: error of the mean gradient against the number of draws averaged."


def data(points: pd.DataFrame) -> pd.DataFrame:
    """`y` = ‖mean of the first x draws − g‖/‖g‖, one series for each label."""
    told = [
        {"estimator": row.estimator, "label": row.label, "series": row.label, "x": k, "y": error}
        for row in points.itertuples()
        for k, error in row.convergence or ()
    ]
    frame = pd.DataFrame(told, columns=["estimator", "label", "series", "x", "y"])
    frame = frame.assign(y_low=frame["y"], y_high=frame["y"], x_low=frame["x"], x_high=frame["x"])
    return frame.assign(open=False, failed=False, outcome="ok")


def on_screen() -> alt.LayerChart:
    """The chart the page fills."""
    return marks_layer.layers()


def on_paper(points: pd.DataFrame, marks: Mapping[str, Mark]) -> Figure:
    """The same lines for print, of the fullest problem among the points, with a line of slope −1/2."""
    points, title = fullest(points)
    frame = data(points)
    figure, axes = paper.canvas()
    paper.points(axes, frame, marks)
    if not frame.empty:
        x = np.array([frame["x"].min(), frame["x"].max()], dtype=float)
        axes.plot(x, frame["y"].max() * np.sqrt(x[0] / x), color="0.8", lw=3, zorder=0)
    paper.logarithmic(axes)
    axes.set(xlabel="Draws averaged", ylabel="Error of the mean gradient (relative)")
    paper.legend(figure, axes, frame, marks)
    paper.title(axes, title)
    return figure

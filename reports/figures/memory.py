"""Memory: the peak of a step against the dimension, measured and predicted, and the wall of a chosen device."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures import marks_layer, paper
from reports.frames.slice import fullest
from reports.palette import Mark

NAME = "memory"
TITLE = "Memory"
ALT = "Lines on logarithmic axes: peak memory of one training step against the dimension; open markers are predictions."


def data(points: pd.DataFrame) -> pd.DataFrame:
    """Peak bytes by label and dimension: the largest measured; where none was measured, the largest predicted, open."""
    rows = []
    for (estimator, label, dim), group in points.groupby(["estimator", "label", "dim"], sort=True):
        measured, predicted = group["peak_step_bytes"].max(), group["predicted_peak_bytes"].max()
        y = measured if np.isfinite(measured) else predicted
        if y > 0:
            told = {"estimator": estimator, "label": label, "series": label, "x": dim, "y": y, "predicted": predicted}
            rows.append(
                told | {"open": not np.isfinite(measured), "failed": False, "outcome": group["outcome"].iloc[0]}
            )
    columns = ["estimator", "label", "series", "x", "y", "predicted", "open", "failed", "outcome"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(x_low=frame["x"], x_high=frame["x"], y_low=frame["y"], y_high=frame["y"])


def on_screen() -> alt.LayerChart:
    """The chart the page fills."""
    return marks_layer.layers()


def on_paper(points: pd.DataFrame, marks: Mapping[str, Mark]) -> Figure:
    """The same lines for print, of the fullest problem among the points; the dimension varies."""
    points, title = fullest(points, free=("dim",))
    frame = data(points)
    figure, axes = paper.canvas()
    paper.points(axes, frame, marks)
    paper.logarithmic(axes, sorted(set(frame["x"])))
    axes.set(xlabel="Dimension D", ylabel="Peak memory of a step (bytes)")
    paper.legend(figure, axes, frame, marks)
    paper.title(axes, title)
    return figure

"""Step size: the bias of estimators that take a finite step, against that step, for every precision.

Truncation makes the bias grow as a power of ε (its declared order), rounding makes it grow as ε shrinks; the best step
lies where the two meet, and moves with the precision.
"""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures import marks_layer, paper
from reports.frames.slice import fullest
from reports.palette import Mark

NAME = "step_size"
TITLE = "Step size"
ALT = "V-shaped curves on logarithmic axes: gradient bias against the finite-difference step, one for each precision."


def data(points: pd.DataFrame, per_sqrt_dim: bool = False) -> pd.DataFrame:
    """X the step (over √D if asked), y the bias with its interval; one series for each label, precision and size."""
    fine = points[points["ok"] & (points["step_value"] > 0) & points["grad_bias"].notna()]
    frame = fine[["estimator", "label", "dtype", "outcome"]].copy()
    frame["x"] = fine["step_value"] / (np.sqrt(fine["dim"]) if per_sqrt_dim else 1.0)
    frame["open"] = fine["bias_resolved"] == False  # noqa: E712
    frame["y"] = fine["grad_bias"].where(~frame["open"], fine["grad_bias_high"])
    frame["y_low"], frame["y_high"] = fine["grad_bias_low"], fine["grad_bias_high"]
    frame["series"] = fine["series"] + ", " + fine["dtype"].fillna("") + ", " + fine["cell"]
    return frame[frame["y"] > 0].assign(x_low=lambda f: f["x"], x_high=lambda f: f["x"], failed=False)


def on_screen() -> alt.LayerChart:
    """The chart the page fills."""
    return marks_layer.layers()


def on_paper(points: pd.DataFrame, marks: Mapping[str, Mark]) -> Figure:
    """The same curves for print, of the fullest problem with a step among the points, in every precision."""
    swept = points[points["step_value"] > 0]
    points, title = fullest(points if swept.empty else swept, free=("dtype",))
    frame = data(points)
    figure, axes = paper.canvas()
    paper.points(axes, frame, marks)
    paper.logarithmic(axes)
    axes.set(xlabel="Step ε", ylabel="Gradient bias (relative)")
    paper.legend(figure, axes, frame, marks)
    paper.title(axes, title)
    return figure

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


def best(frame: pd.DataFrame) -> pd.DataFrame:
    """For each series: the step of least bias, and the slopes of log bias on both sides of it."""
    found = []
    for series, group in frame.groupby("series", sort=True):
        group = group.sort_values("x")
        x, y = np.log(group["x"].to_numpy()), np.log(group["y"].to_numpy())
        at = int(np.argmin(y))
        below = np.polyfit(x[: at + 1], y[: at + 1], 1)[0] if at >= 1 else np.nan
        above = np.polyfit(x[at:], y[at:], 1)[0] if len(x) - at >= 2 else np.nan
        found.append({"series": series, "step": np.exp(x[at]), "bias": np.exp(y[at]), "below": below, "above": above})
    return pd.DataFrame(found, columns=["series", "step", "bias", "below", "above"])


def on_screen() -> alt.LayerChart:
    """The chart the page fills."""
    return marks_layer.layers()


def on_paper(points: pd.DataFrame, marks: Mapping[str, Mark]) -> Figure:
    """The same curves for print."""
    frame = data(points)
    figure, axes = paper.canvas()
    paper.points(axes, frame, marks)
    paper.logarithmic(axes)
    axes.set(xlabel="Step ε", ylabel="Gradient bias (relative)")
    paper.legend(figure, axes, frame, marks)
    return figure

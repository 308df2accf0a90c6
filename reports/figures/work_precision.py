"""Work and precision: the error of the training gradient against what one training step costs."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures import marks_layer, paper
from reports.frames.pareto import front_shares, on_front
from reports.frames.slice import fullest
from reports.palette import Mark

NAME = "work_precision"
TITLE = "Work and precision"
ALT = (
    "Scatter plot on logarithmic axes: relative error of the parameter gradient against the cost of one training step."
)
ERRORS = {"rmse": "Gradient error, RMSE", "grad_bias": "Gradient bias", "grad_std": "Gradient std, one draw"}
_INTERVALS = {
    "rmse": ("rmse_low", "rmse_high"),
    "grad_bias": ("grad_bias_low", "grad_bias_high"),
    "grad_std": ("std_low", "std_high"),
    "time_step_s": ("time_step_low_s", "time_step_high_s"),
}


def data(points: pd.DataFrame, error: str = "rmse", cost: str = "time_step_s") -> pd.DataFrame:
    """X and y with intervals; `open` marks an unresolved bias, `failed` what did not finish; shares of the front."""
    x_low, x_high = _INTERVALS.get(cost, (cost, cost))
    y_low, y_high = _INTERVALS[error]
    frame = points[["estimator", "label", "series", "option_text", "outcome", "reason", "minibatch_std"]].copy()
    frame["x"], frame["x_low"], frame["x_high"] = points[cost], points[x_low], points[x_high]
    frame["y"], frame["y_low"], frame["y_high"] = points[error], points[y_low], points[y_high]
    frame["open"] = (points["bias_resolved"] == False) & (error == "grad_bias")  # noqa: E712
    hidden = frame["open"]
    frame.loc[hidden, "y"] = frame.loc[hidden, "y_high"]
    frame["y"] = frame["y"].where(~(frame["y"] == 0), points["error_floor"])
    frame["failed"] = ~points["ok"]
    frame = frame[frame["failed"] | (np.isfinite(frame["x"]) & np.isfinite(frame["y"]))]
    fine = frame.loc[~frame["failed"]]
    x, y = fine["x"].to_numpy(), fine["y"].to_numpy()
    ends = fine[["x_low", "x_high", "y_low", "y_high"]].to_numpy(dtype=float).T
    shares = pd.Series(front_shares(x, ends[:2], y, ends[2:]) if len(fine) else [], index=fine.index, dtype=float)
    return frame.assign(front_share=shares)


def on_screen() -> alt.LayerChart:
    """The chart the page fills."""
    return marks_layer.layers()


def on_paper(points: pd.DataFrame, marks: Mapping[str, Mark], error: str = "rmse", cost: str = "time_step_s") -> Figure:
    """The same for print, of the fullest size and setting among the points."""
    points, title = fullest(points)
    frame = data(points, error, cost)
    figure, axes = paper.canvas()
    floor = frame["minibatch_std"].median()
    if error != "grad_bias" and np.isfinite(floor):
        axes.axhline(floor, color="0.5", dashes=(5, 4), lw=0.8)
        axes.annotate(
            "minibatch noise of the exact gradient",
            (0.01, floor),
            xycoords=("axes fraction", "data"),
            va="bottom",
            color="0.4",
            fontsize=7,
        )
    fine = frame.loc[~frame["failed"]].sort_values(["x", "y"])
    front = fine[on_front(fine["x"].to_numpy(), fine["y"].to_numpy())]
    axes.step(front["x"], front["y"], where="post", color="0.85", lw=3, zorder=0)
    rounding = points["grad_rounding"].median()
    if error == "grad_bias" and np.isfinite(rounding):
        axes.axhline(rounding, color="0.5", dashes=(1, 2), lw=0.8)
    paper.points(axes, frame, marks)
    paper.logarithmic(axes)
    axes.set(xlabel=paper.COSTS[cost], ylabel=f"{ERRORS[error]} (relative)")
    paper.legend(figure, axes, frame, marks)
    paper.title(axes, title)
    return figure

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
PUBLISHED = {  # the steps that the estimators' papers or their code use, where those are no multiple of √D
    "fd_ssm": 0.1,
    "fd_ssm_vr": 0.1,
    "fd_ssm_score": 0.1,
    "taylor_trace_sm": 0.01,
}
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
    """The same curves for print, of the fullest problem with a step among the points, in every precision.

    Curves bear their precision where there are several; published steps are ringed.
    """
    swept = points[points["step_value"] > 0]
    points, title = fullest(points if swept.empty else swept, free=("dtype",))
    frame = data(points)
    figure, axes = paper.canvas()
    paper.points(axes, frame, marks)
    paper.logarithmic(axes)
    published = frame[np.isclose(frame["x"], frame["estimator"].map(PUBLISHED).fillna(-1.0), rtol=1e-6)]
    if not published.empty:
        axes.scatter(
            published["x"], published["y"], s=90, facecolors="none", edgecolors="0.2", linewidths=0.8, zorder=4
        )
    if frame["dtype"].nunique() > 1:
        first = frame.sort_values("x").drop_duplicates("series")
        for x, y, dtype in first[["x", "y", "dtype"]].itertuples(index=False):
            axes.annotate(dtype, (x, y), xytext=(4, 6), textcoords="offset points", fontsize=6, color="0.3")
    axes.set(
        xlabel="Step ε" + ("" if published.empty else " (ringed: as published)"), ylabel="Gradient bias (relative)"
    )
    paper.legend(figure, axes, frame, marks)
    paper.title(axes, title)
    return figure

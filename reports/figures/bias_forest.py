"""Bias forest: each estimator's bias with its interval on a line, the unresolved ones open, rounding as a tick."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures import paper, screen
from reports.frames.slice import fullest
from reports.palette import Mark

NAME = "bias_forest"
TITLE = "Bias"
ALT = "Forest plot: one line for each estimator with its gradient bias and 95 % interval on a logarithmic axis."


def data(points: pd.DataFrame) -> pd.DataFrame:
    """`bias` with `low` and `high`, whether `resolved`, `rounding`, and whether declared unbiased; largest first."""
    fine = points[points["ok"] & points["grad_bias"].notna()]
    frame = fine[["estimator", "label", "cell", "declared_bias", "bias_route", "draws"]].copy()
    frame["resolved"] = fine["bias_resolved"] != False  # noqa: E712
    frame["low"], frame["high"] = fine["grad_bias_low"], fine["grad_bias_high"]
    frame["bias"] = fine["grad_bias"].where(frame["resolved"], fine["grad_bias_high"])
    frame["bias"] = frame["bias"].where(frame["bias"] > 0, fine["error_floor"])
    frame["rounding"] = fine["grad_rounding"]
    return frame.sort_values("bias", ascending=False).reset_index(drop=True)


def on_screen() -> alt.LayerChart:
    """Rows of ``points``: label, place, x, x_low, x_high, rounding, open, estimator."""
    points = alt.Chart(screen.data("points"))
    x = alt.X("x:Q", **screen.axis("x"))
    y = alt.Y(
        "line:N", sort=alt.EncodingSortField("place", op="min"), axis=alt.Axis(title=None, labelLimit=300, grid=True)
    )
    colour, shape = screen.colour(), screen.shape()
    whole = {"tooltip": {"content": "data"}, "size": 75, "strokeWidth": 1.6, "cursor": "pointer", "opacity": 1}
    return alt.layer(
        points.mark_rule(strokeWidth=1.6, opacity=0.7, aria=False).encode(
            x=alt.X("x_low:Q"), x2="x_high:Q", y=y, color=colour
        ),
        points.transform_filter("datum.rounding > 0")
        .mark_tick(thickness=1.5, size=14, color="#7b8794")
        .encode(x=alt.X("rounding:Q"), y=y),
        points.transform_filter("!datum.open").mark_point(filled=True, **whole).encode(x, y, colour, shape),
        points.transform_filter("datum.open")
        .mark_point(filled=False, fill="white", **whole)
        .encode(x=x, y=y, stroke=alt.Stroke(**colour.to_dict()), shape=shape),
    )


def on_paper(points: pd.DataFrame, marks: Mapping[str, Mark]) -> Figure:
    """The same for print, of the fullest size and setting among the points."""
    points, title = fullest(points)
    frame = data(points)
    figure, axes = paper.canvas(height=1.0 + 0.18 * len(frame))
    least = np.nanmin([*frame["bias"], *frame["rounding"].where(frame["rounding"] > 0), 1.0]) / 3
    for place, row in enumerate(frame.itertuples()):
        mark = marks[row.estimator]
        axes.plot([max(row.low, least), row.high], [place, place], color=mark.colour, lw=1, alpha=0.7)
        face = mark.colour if row.resolved else "white"
        axes.plot(row.bias, place, mark.matplotlib_marker, color=mark.colour, mfc=face, ms=5)
        axes.plot(row.rounding, place, "|", color="0.5", ms=7)
    paper.logarithmic(axes)
    axes.set_yscale("linear")
    axes.set_yticks(range(len(frame)), [f"{row.label[:36]}  {row.cell}" for row in frame.itertuples()])
    axes.invert_yaxis()
    axes.set_xlabel("Gradient bias (relative); ticks: rounding")
    paper.title(axes, title)
    return figure

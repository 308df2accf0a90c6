"""Residuals of the fitted laws: measured step time over the law's, at every size it was fitted to."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from bench.recommend.fits import fits
from bench.recommend.measurement import measurements
from reports.figures import marks_layer, paper
from reports.frames.slice import fullest
from reports.palette import Mark

NAME = "residuals"
TITLE = "Residuals of the laws"
ALT = "Scatter plot on logarithmic axes: measured step time over the fitted law's, against the dimension; 1 is the law."


def data(points: pd.DataFrame) -> pd.DataFrame:
    """`y` = measured over fitted with the interval of the time, at dimension `x`; all rows of one setting."""
    ends = {"time": "y", "time_low": "y_low", "time_high": "y_high"}
    rows = measurements(points[points["dim"].notna() & points["depth"].notna()].to_dict("records"))
    laws = {(fit.label, fit.order): fit.time for fit in fits(rows)}
    told = [
        {"estimator": m.estimator, "label": m.label, "series": m.label, "x": m.dim, "depth": m.depth}
        | {end: getattr(m, name) / law(m.dim, m.depth) for name, end in ends.items()}
        for m in rows
        if m.measured and (law := laws.get((m.label, m.order)))
    ]
    frame = pd.DataFrame(told, columns=["estimator", "label", "series", "x", "depth", *ends.values()])
    return frame.assign(x_low=frame["x"], x_high=frame["x"], open=False, failed=False, outcome="ok")


def on_screen() -> alt.LayerChart:
    """The chart the page fills."""
    return marks_layer.layers(joined=False)


def on_paper(points: pd.DataFrame, marks: Mapping[str, Mark]) -> Figure:
    """The same for print, of the fullest setting among the points; dimension and depth vary."""
    points, title = fullest(points, free=("dim", "depth"))
    frame = data(points)
    figure, axes = paper.canvas()
    paper.points(axes, frame, marks, joined=False)
    paper.logarithmic(axes, sorted(set(frame["x"])))
    axes.axhline(1, color="0.5", lw=0.8)
    if not frame.empty:
        low, high = axes.get_ylim()
        ticks = [tick for tick in (0.1, 0.2, 0.5, 0.8, 0.9, 1, 1.1, 1.25, 2, 5, 10) if low <= tick <= high]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="Dimension D", ylabel="Step time, measured over fitted")
    paper.legend(figure, axes, frame, marks)
    paper.title(axes, title)
    return figure

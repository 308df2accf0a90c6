"""Print rendering: what the matplotlib figures share: size, vector text, and the marks of the screen."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from reports.palette import Mark

STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.92",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "estimators",
    "text.parse_math": False,
}
COSTS = {
    "time_step_s": "Step time (seconds)",
    "peak_step_bytes": "Peak memory of a step (bytes)",
    "flops_step": "Floating-point operations of a step",
    "energy_j": "Energy of a step (joules)",
}

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _power(value: float, _: int | None = None) -> str:
    """Ticks of logarithmic axes without mathematical markup, which names in labels could break."""
    if value <= 0:
        return ""
    exponent = round(math.log10(value))
    if not math.isclose(value, 10.0**exponent):
        return ""
    return f"{value:g}" if -2 <= exponent <= 3 else "10" + str(exponent).translate(_RAISED)


def logarithmic(axes: Axes, ticks: list[float] | None = None) -> None:
    """Both axes logarithmic; `ticks` are the x axis's where it holds a few sizes."""
    if not all(np.isfinite(low) and low > 0 for low in (axes.xaxis.get_minpos(), axes.yaxis.get_minpos())):
        axes.text(0.5, 0.5, "nothing to draw in this selection", transform=axes.transAxes, ha="center", color="0.4")
        return
    axes.set(xscale="log", yscale="log")
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        axis.set_major_formatter(FuncFormatter(_power))
        axis.set_minor_formatter(NullFormatter())
        if high < 40 * low:  # powers of ten alone would be one or two ticks
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if ticks:
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())


def canvas(columns: int = 1, width: float = 5.2, height: float = 3.4, rows: int = 1, **keywords) -> tuple[Figure, Any]:
    """A figure without pyplot's global state, and its axes: one, or an array of several."""
    matplotlib.rcParams.update(STYLE)
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **keywords)


def title(axes: Axes, text: str, columns: int = 80) -> None:
    """The held problem above the axes, in lines of so many letters."""
    axes.set_title("\n".join(textwrap.wrap(text, columns)))


def points(axes: Axes, frame: pd.DataFrame, marks: Mapping[str, Mark], joined: bool = True) -> None:
    """Points with intervals; open where unresolved; what did not finish stands open at the right edge."""
    fine = frame[~frame["failed"].astype(bool)]
    for (estimator, _), group in fine.groupby(["estimator", "series"], sort=True):
        mark, group = marks[estimator], group.sort_values("x")
        if joined:
            axes.plot(group["x"], group["y"], color=mark.colour, lw=0.8, alpha=0.5)
        x_error = np.abs([group["x"] - group["x_low"], group["x_high"] - group["x"]])
        y_error = np.abs([group["y"] - group["y_low"], group["y_high"] - group["y"]])
        axes.errorbar(
            group["x"],
            group["y"],
            y_error,
            np.nan_to_num(x_error),
            fmt="none",
            ecolor=mark.colour,
            elinewidth=0.8,
            alpha=0.7,
        )
        for is_open, part in group.groupby("open"):
            face = "white" if is_open else mark.colour
            axes.plot(part["x"], part["y"], mark.matplotlib_marker, color=mark.colour, mfc=face, ms=5, ls="none")
    failed = frame[frame["failed"].astype(bool)].drop_duplicates(["label", "outcome"])
    for place, row in enumerate(failed.itertuples()):
        mark, height = marks[row.estimator], 1 - (place + 0.5) / max(len(failed), 8)
        axes.plot(
            1.03,
            height,
            mark.matplotlib_marker,
            color=mark.colour,
            mfc="white",
            ms=5,
            transform=axes.transAxes,
            clip_on=False,
        )
        axes.annotate(
            row.outcome.replace("_", " "),
            (1.05, height),
            xycoords="axes fraction",
            va="center",
            fontsize=6,
            color="0.4",
        )


LEGEND_ENTRY_INCHES = 1.5


def legend(figure: Figure, axes: Axes, frame: pd.DataFrame, marks: Mapping[str, Mark]) -> None:
    """One entry per estimator shown, below the figure."""
    names = sorted(set(frame["estimator"]))
    handles = [
        Line2D([], [], color=marks[name].colour, marker=marks[name].matplotlib_marker, ls="none", ms=5, label=name[:40])
        for name in names
    ]
    columns = max(1, min(4, int(figure.get_figwidth() / LEGEND_ENTRY_INCHES)))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)

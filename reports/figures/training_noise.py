"""Gradient noise over training: the std of one draw of each estimator's gradient, beside that over minibatches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from reports.figures import paper
from reports.figures.training import crowded, domain, lines
from reports.figures.training import data as curves
from reports.frames.families import OTHERS
from reports.frames.training import AXES, names
from reports.palette import Mark, marks_apart

NAME = "training_noise"
TITLE = "Gradient noise over training"
ALT = (
    "Lines with bands: the relative std of one draw of each estimator's gradient against steps, and that over batches."
)
Y_TITLE = "Std of the gradient, relative"
MINIBATCH = "minibatch"


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """Against steps: ``grad_std`` of each label, and ``minibatch_std`` over all runs; what is zero is left out.

    Deterministic estimators have no noise of their own. Where runs were evaluated at different steps, those of
    minibatches are of the label that made most, since all of them together end with the shortest.
    """
    noise = curves(frame, "steps", "grad_std")
    paths = {tuple(run.sort_values("place")["steps"]) for _, run in frame.groupby("key")}
    longest = frame if len(paths) == 1 else frame[frame["label"] == frame.loc[frame["steps"].idxmax(), "label"]]
    shared = curves(longest.assign(label=MINIBATCH, estimator=MINIBATCH), "steps", "minibatch_std")
    both = pd.concat([noise, shared], ignore_index=True)
    return both[both["y_low"] > 0].reset_index(drop=True)


def marks_of(frame: pd.DataFrame) -> dict[str, Mark]:
    """The marks of the labels of training runs, and of ``MINIBATCH``: told apart within each problem."""
    owners = dict(zip(frame["label"].astype(str), frame["estimator"].astype(str), strict=True))
    groups = [[*set(group), MINIBATCH] for _, group in frame.groupby("problem")["label"]]
    apart = marks_apart(groups or [[MINIBATCH]], {**owners, MINIBATCH: MINIBATCH})
    return {**apart, OTHERS: Mark("#c5ccd3", "circle")}


def settings(frame: pd.DataFrame) -> dict[str, Any]:
    """What the page's script needs to draw one problem: rows, axes, and a text for readers."""
    found = data(frame)
    x, x_ticks = domain(found["x"])
    low, high = (float(found["y_low"].min()), float(found["y_high"].max())) if len(found) else (0.1, 1.0)
    y = [low / 1.15, high * 1.15]
    y_ticks = [float(t) for t in LogLocator(subs=(1, 2, 5)).tick_values(*y) if y[0] <= t <= y[1]]
    ends = ", ".join(f"{label} {group['y'].iloc[-1]:.3g}" for label, group in found.groupby("label"))
    axes = {"x_title": AXES["steps"], "x_domain": x, "x_ticks": x_ticks, "y_title": Y_TITLE, "y_domain": y}
    return {
        "points": found.to_dict("records"),
        "settings": {**axes, "y_ticks": y_ticks, "x_unit": "", "y_unit": "error"},
        "alt": f"{Y_TITLE} against steps; at the end: {ends}."[:900],
    }


def on_paper(frame: pd.DataFrame, marks: Mapping[str, Mark]) -> Figure:
    """For print, of the problem with most labels; `marks` of the labels and of ``MINIBATCH``."""
    figure, axes = paper.canvas()
    if frame.empty:
        axes.text(0.5, 0.5, "no training run has ended", transform=axes.transAxes, ha="center", color="0.4")
        return figure
    problem = crowded(frame)
    found = data(frame[frame["problem"] == problem])
    lines(axes, found, marks)
    axes.set(xlabel=AXES["steps"], ylabel=Y_TITLE, yscale="log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    paper.title(axes, names(frame)[problem])
    paper.legend(figure, axes, found, marks)
    return figure

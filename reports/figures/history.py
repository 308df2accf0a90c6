"""History: one measure against commits, a line for each estimator and machine, and a rule at each step change."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures import paper, screen
from reports.frames.history import History
from reports.frames.history_measures import MEASURES
from reports.frames.steps import steps
from reports.palette import Mark

NAME = "history"
TITLE = "History"
ALT = "Lines over commits: cost or error of each estimator at one point, with intervals, and where its level changed."
POINT = ("quantity", "dim", "depth", "order", "setting")
DASHES = ((1, 0), (5, 3), (2, 2), (8, 3, 2, 3))


def data(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of one point and measure: x counts those commits alone that have one of them."""
    chosen = rows.sort_values(["series", "place"])
    ranks = {place: rank for rank, place in enumerate(sorted(set(chosen["place"])))}
    return chosen.assign(x=chosen["place"].map(ranks), failed=chosen["value"].isna())


def fullest(rows: pd.DataFrame) -> pd.DataFrame:
    """Of one measure (step time, where there is one), the point that most commits have; more estimators of equals."""
    measure = next(name for name in (*MEASURES, None) if name is None or name in set(rows["measure"]))
    rows = rows[rows["measure"] == measure]
    groups = [group for _, group in rows.groupby(list(POINT), dropna=False, sort=True)]
    return max(groups, key=lambda group: (group["place"].nunique(), group["series"].nunique()))


def on_screen() -> alt.LayerChart:
    """Rows of ``points``: x, y, y_low, y_high, estimator, series, dash, open, failed; of ``guides``: x, y, y_high."""
    points, guides = alt.Chart(screen.data("points")), alt.Chart(screen.data("guides"))
    colour, shape = screen.colour(), screen.shape()
    x, y = alt.X("x:Q", **screen.axis("x", "linear", labelAngle=-40)), alt.Y("y:Q", **screen.axis("y"))
    fine = points.transform_filter("!datum.failed")
    mark = {"tooltip": {"content": "data"}, "size": 60, "strokeWidth": 1.6}
    return alt.layer(
        fine.mark_line(strokeWidth=1.6, opacity=0.55).encode(
            x=x, y=y, color=colour, detail="series:N", order="x:Q", strokeDash=alt.StrokeDash("dash:N", scale=None)
        ),
        fine.mark_rule(strokeWidth=1.2, opacity=0.65, aria=False).encode(
            x=x, y=alt.Y("y_low:Q"), y2="y_high:Q", color=colour
        ),
        guides.mark_rule(strokeWidth=4, opacity=0.35).encode(x=x, y=y, y2="y_high:Q", color=colour),
        guides.mark_text(align="left", dx=5, fontSize=11, fill=screen.QUIET).encode(x=x, y=y, text="text:N"),
        fine.transform_filter("!datum.open").mark_point(filled=True, opacity=1, **mark).encode(x, y, colour, shape),
        points.transform_filter("datum.open || datum.failed")
        .mark_point(filled=False, fill="white", opacity=1, **mark)
        .encode(x=x, y=y, stroke=alt.Stroke(**colour.to_dict()), shape=shape),
        points.transform_filter("datum.failed")
        .mark_text(align="left", dx=7, fontSize=10.5, fill=screen.QUIET, aria=False)
        .encode(x=x, y=y, text="outcome:N"),
    )


def on_paper(history: History, marks: Mapping[str, Mark]) -> Figure:
    """The same for print, of one measure at the point that most commits have."""
    figure, axes = paper.canvas()
    if history.rows.empty:
        axes.text(0.5, 0.5, "no commit was measured", transform=axes.transAxes, ha="center", color="0.4")
        return figure
    chosen = data(fullest(history.rows))
    first, measure = chosen.iloc[0], MEASURES[chosen["measure"].iloc[0]]
    machines = sorted(set(chosen["machine"]))
    for _, line in chosen[~chosen["failed"]].groupby("series", sort=True):
        mark, dash = marks[line["estimator"].iloc[0]], DASHES[machines.index(line["machine"].iloc[0]) % len(DASHES)]
        y = line["value"].where(line["resolved"], line["high"].fillna(0))
        axes.plot(line["x"], y, color=mark.colour, lw=0.8, alpha=0.6, ls=(0, dash))
        known = line["high"].notna()
        axes.vlines(line["x"][known], line["low"][known], line["high"][known], color=mark.colour, lw=0.8, alpha=0.7)
        for resolved, part in line.groupby("resolved"):
            face = mark.colour if resolved else "white"
            axes.plot(part["x"], y[part.index], mark.matplotlib_marker, color=mark.colour, mfc=face, ms=5, ls="none")
    ranks = dict(zip(chosen["place"], chosen["x"], strict=True))
    for step in steps(chosen).itertuples():
        axes.vlines(ranks[step.after] - 0.5, step.old, step.new, color=marks[step.estimator].colour, lw=3, alpha=0.35)
    for row in chosen[chosen["failed"]].itertuples():
        told = f"{str(row.label)[:24]}: {str(row.outcome).replace('_', ' ')}"
        axes.text(row.x, 1, told, transform=axes.get_xaxis_transform(), fontsize=6, color="0.4", rotation=90, va="top")
    if len(machines) > 1:
        lines = [
            Line2D([], [], color="0.4", lw=0.8, ls=(0, DASHES[k % len(DASHES)]), label=name[:60])
            for k, name in enumerate(machines)
        ]
        axes.legend(handles=lines, frameon=False, fontsize=6)
    labels = {rank: history.commits[place].short for place, rank in ranks.items()}
    axes.set_xticks(list(labels), list(labels.values()), rotation=40, ha="right")
    axes.set_ylabel(f"{measure.title.capitalize()} ({measure.unit if measure.unit != 'error' else 'relative'})")
    words = [str(first["quantity"]).replace("_", " "), *(f"{n} {first[c]:g}" for n, c in _SIZES), str(first["setting"])]
    paper.title(axes, ", ".join(words)[:200])
    paper.legend(figure, axes, chosen, marks)
    return figure


_SIZES = (("D =", "dim"), ("depth", "depth"), ("order", "order"))

"""Heat map: estimator × size, coloured by the ratio to the best of that size; what did not finish is grey."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from reports.figures import paper, screen
from reports.frames.slice import fullest
from reports.palette import Mark

NAME = "heat_map"
TITLE = "Heat map"
ALT = "Grid of estimators against problem sizes; colour is the cost over the best one's, grey a failure."
LETTERS = {
    "nonfinite": "NaN",
    "unsupported": "n/a",
    "error": "err",
    "timeout": "time",
    "out_of_memory": "mem",
    "crashed": "crash",
    "skipped": "skip",
}


def data(points: pd.DataFrame, cost: str = "time_step_s") -> pd.DataFrame:
    """One row per label and cell (D, depth, T): `ratio` to the cheapest of the cell, or the outcome."""
    frame = points[["estimator", "label", "dim", "depth", "order", "outcome", "reason"]].assign(cost=points[cost])
    frame = frame.sort_values("cost", na_position="last").drop_duplicates(["label", "dim", "depth", "order"])
    best = frame.groupby(["dim", "depth", "order"])["cost"].transform("min")
    frame["ratio"] = frame["cost"] / best
    frame["cell"] = [
        f"{d:g} · {n:g} · {t:g}" for d, n, t in zip(frame["dim"], frame["depth"], frame["order"], strict=True)
    ]
    return frame.sort_values(["label", "dim", "depth", "order"])


def on_screen() -> alt.LayerChart:
    """The chart the page fills: rows with label, cell, ratio, text and `failed`."""
    points = alt.Chart(screen.data("points"))
    x = alt.X(
        "cell:N",
        sort=alt.EncodingSortField("rank", op="min"),
        axis=alt.Axis(
            title=screen.setting("x_title"),
            labelAngle=0,
            labelExpr="split(datum.value, ' · ')",
            orient="top",
            grid=False,
            ticks=False,
            labelPadding=34,
            titlePadding=16,
        ),
    )
    y = alt.Y(
        "label:N", sort=alt.EncodingSortField("place", op="min"), axis=alt.Axis(title=None, labelLimit=260, grid=False)
    )
    colour = alt.Color(
        "ratio:Q",
        scale=alt.Scale(
            type="log", domain=[1, 100], clamp=True, range=["#e8f1f8", "#9cc3de", "#4a8db8", "#145a86", "#08304b"]
        ),
        legend=None,
    )
    fine, failed = points.transform_filter("!datum.failed"), points.transform_filter("datum.failed")
    rect = {"tooltip": {"content": "data"}, "stroke": "white", "strokeWidth": 1.5, "cursor": "pointer"}
    return alt.layer(
        fine.mark_rect(**rect).encode(x, y, colour),
        failed.mark_rect(fill="#d5d9de", **rect).encode(x, y),
        fine.mark_text(fontSize=11, aria=False).encode(
            x, y, text="text:N", color=alt.condition("datum.ratio > 6", alt.value("white"), alt.value(screen.INK))
        ),
        failed.mark_text(fontSize=10.5, fontStyle="italic", fill="#3e4c59", aria=False).encode(x, y, text="text:N"),
    )


def on_paper(points: pd.DataFrame, marks: Mapping[str, Mark], cost: str = "time_step_s") -> Figure:
    """The same grid for print, of the fullest setting among the points; the sizes vary."""
    points, title = fullest(points, free=("dim", "depth", "order"))
    frame = data(points, cost)
    labels = sorted(set(frame["label"]))
    cells = list(dict.fromkeys(frame.sort_values(["dim", "depth", "order"])["cell"]))
    ratio = frame.pivot(index="label", columns="cell", values="ratio").reindex(index=labels, columns=cells)
    figure, axes = paper.canvas(width=3.6 + 0.42 * len(cells), height=1.6 + 0.22 * len(labels))
    axes.grid(False)
    axes.set_facecolor("0.96")
    image = axes.imshow(ratio.to_numpy(), norm=LogNorm(1, 100), cmap="Blues", aspect="auto")
    for row in frame.itertuples():
        at = cells.index(row.cell), labels.index(row.label)
        text = f"{row.ratio:.3g}" if np.isfinite(row.ratio) else LETTERS.get(row.outcome, row.outcome)
        axes.annotate(text, at, ha="center", va="center", fontsize=6, color="white" if row.ratio > 15 else "0.15")
    axes.set_xticks(range(len(cells)), cells, rotation=40, ha="right")
    axes.set_yticks(range(len(labels)), [label[:48] for label in labels])
    paper.title(axes, title)
    axes.set_xlabel("dimension · depth · order")
    figure.colorbar(
        image,
        label=f"{paper.COSTS[cost].split(' (')[0].lower()} over the best of the column",
    )
    return figure

"""The layers that most figures share: points with intervals both ways, open ones, and guide lines."""

from __future__ import annotations

import altair as alt

from reports.figures import screen


def layers(x_scale: str = "log", joined: bool = True) -> alt.LayerChart:
    """Points over guide lines.

    Rows of the data ``points``: x, x_low, x_high, y, y_low, y_high, estimator, series, rank, open, failed, and text at
    (text_x, text_y). Rows of the data ``guides``: kind is ``floor`` (a level worth knowing) or ``bottom`` (below it the
    axis is not to scale), both with y and text, or ``edge`` (right of it stands what has no number) with x and text, or
    ``front`` (the steps of the Pareto front) with x, y and rank.
    """
    points, guides = alt.Chart(screen.data("points")), alt.Chart(screen.data("guides"))
    colour, shape = screen.colour(), screen.shape()
    x = alt.X("x:Q", **screen.axis("x", x_scale))
    y = alt.Y("y:Q", **screen.axis("y"))
    fine = points.transform_filter("!datum.failed")
    edge = guides.transform_filter("datum.kind == 'edge'")
    floor = guides.transform_filter("datum.kind == 'floor'")
    front = guides.transform_filter("datum.kind == 'front'")
    bottom = guides.transform_filter("datum.kind == 'bottom'")
    drawn = [
        front.mark_line(stroke="#cbd2d9", strokeWidth=5, opacity=0.55).encode(x=x, y=y, order="rank:Q"),
        edge.mark_rule(stroke="#9aa5b1", strokeDash=[2, 3]).encode(x=x),
        edge.mark_text(align="left", baseline="top", dx=5, dy=2, fontSize=11, fill=screen.QUIET).encode(
            x=x, y=alt.value(0), text="text:N"
        ),
        bottom.mark_rule(stroke="#9aa5b1", strokeDash=[2, 3]).encode(y=y),
        bottom.mark_text(align="left", baseline="top", dx=4, dy=4, fontSize=11, fill=screen.QUIET).encode(
            y=y, x=alt.value(0), text="text:N"
        ),
        floor.mark_rule(stroke="#7b8794", strokeDash=[5, 4]).encode(y=y),
        floor.mark_text(align="left", baseline="bottom", dx=4, dy=-3, fontSize=11, fill=screen.QUIET).encode(
            y=y, x=alt.value(0), text="text:N"
        ),
        fine.mark_rule(strokeWidth=1.2, opacity=0.65, aria=False).encode(
            x=x, y=alt.Y("y_low:Q"), y2="y_high:Q", color=colour
        ),
        fine.mark_rule(strokeWidth=1.2, opacity=0.65, aria=False).encode(
            x=alt.X("x_low:Q"), x2="x_high:Q", y=y, color=colour
        ),
    ]
    if joined:
        line = fine.mark_line(strokeWidth=1.6, opacity=0.55).encode(
            x=x, y=y, color=colour, detail="series:N", order="rank:Q"
        )
        drawn.append(line)
    whole = {"tooltip": {"content": "data"}, "size": 75, "strokeWidth": 1.6, "cursor": "pointer"}
    drawn += [
        fine.transform_filter("!datum.open").mark_point(filled=True, opacity=1, **whole).encode(x, y, colour, shape),
        points.transform_filter("datum.open || datum.failed")
        .mark_point(filled=False, fill="white", opacity=1, **whole)
        .encode(x=x, y=y, stroke=alt.Stroke(**colour.to_dict()), shape=shape),
        points.transform_filter("datum.text")
        .mark_text(align="left", baseline="middle", fontSize=10.5, fill=screen.QUIET, aria=False)
        .encode(x=alt.X("text_x:Q"), y=alt.Y("text_y:Q"), text="text:N"),
    ]
    return alt.layer(*drawn)

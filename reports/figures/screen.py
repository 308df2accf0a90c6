"""Screen rendering: an Altair chart becomes a Vega specification whose data, axes and titles the page sets.

A chart draws from the named data ``points`` and ``guides``; the page fills them with the rows that its filters let
through. Where a chart says ``setting("x_title")`` the page sets that signal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import vl_convert

SETTINGS: Mapping[str, Any] = {
    "x_title": "",
    "y_title": "",
    "x_unit": "",
    "y_unit": "",
    "x_domain": [1, 10],
    "y_domain": [1, 10],
    "x_ticks": [1, 10],
    "x_labels": [],
    "y_ticks": [1, 10],
    "names": [],
    "colours": [],
    "shapes": [],
}
INK, QUIET, FAINT = "#1f2933", "#52606d", "#e4e7eb"
_LABEL = (
    "{a}_unit == 'commit' ? x_labels[datum.value] : "
    "{a}_unit == 'error' ? (datum.value >= 99.9 ? replace(format(100 * datum.value, '.0e'), '+', '') + ' %' : "
    "datum.value >= 0.000999 ? format(100 * datum.value, '~r') + ' %' : "
    "datum.value <= 0 ? '0' : format(datum.value, '.0e')) : "
    "{a}_unit == '' ? format(datum.value, '~r') : replace(format(datum.value, '~s'), /([a-zµ]*)$/i, ' $1') + {a}_unit"
)


def setting(name: str) -> str:
    """A placeholder for the signal `name`, put where Vega-Lite's grammar takes text or a list only."""
    return f"@{name}"


def axis(name: str, kind: str = "log", **more: Any) -> dict[str, Any]:
    """Keywords of a positional channel whose domain, ticks, unit and title the page sets; `name` is x or y."""
    return {
        "scale": alt.Scale(
            type=kind,
            domainMin=alt.ExprRef(f"{name}_domain[0]"),
            domainMax=alt.ExprRef(f"{name}_domain[1]"),
            nice=False,
            zero=False,
            clamp=True,
        ),
        "axis": alt.Axis(
            values=[setting(f"{name}_ticks")], labelExpr=_LABEL.format(a=name), title=setting(f"{name}_title"), **more
        ),
    }


def data(name: str) -> alt.NamedData:
    """The data set that the page fills."""
    return alt.NamedData(name=name)


def colour() -> alt.Color:
    """The estimator's colour. Legends are the page's, so that a name is data and wraps."""
    scale = alt.Scale(domain=[setting("names")], range=[setting("colours")])
    return alt.Color("estimator:N", scale=scale, legend=None)


def shape() -> alt.Shape:
    """The estimator's marker."""
    scale = alt.Scale(domain=[setting("names")], range=[setting("shapes")])
    return alt.Shape("estimator:N", scale=scale, legend=None)


def vega(chart: alt.Chart | alt.LayerChart, height: int = 380) -> dict[str, Any]:
    """The Vega specification of a chart, as wide as its place on the page."""
    chart = (
        chart.properties(width="container", height=height)
        .add_params(*(alt.param(name=name, value=value) for name, value in SETTINGS.items()))
        .configure(background="transparent")
        .configure_view(stroke=None)
        .configure_axis(
            gridColor=FAINT,
            domainColor="#9aa5b1",
            tickColor="#9aa5b1",
            labelColor=QUIET,
            titleColor=INK,
            titleFontWeight="normal",
            labelFontSize=12,
            titleFontSize=13,
            titlePadding=10,
        )
    )
    specification = _settle(vl_convert.vegalite_to_vega(chart.to_dict(validate=False)))
    specification.pop("$schema", None)  # an address, and the page names none
    for scale in specification["scales"]:
        low = scale.get("domainMin", {}).get("signal", "")
        if low.endswith("_domain[0]"):
            scale["domain"] = {"signal": low.removesuffix("[0]")}
            del scale["domainMin"], scale["domainMax"]
    return specification


def _settle(node: Any) -> Any:
    """Replace the placeholders by signals."""
    if isinstance(node, str) and node[:1] == "@" and node[1:] in SETTINGS:
        return {"signal": node[1:]}
    if isinstance(node, list):
        if len(node) == 1 and isinstance(node[0], str) and node[0][:1] == "@" and node[0][1:] in SETTINGS:
            return {"signal": node[0][1:]}
        return [_settle(item) for item in node]
    if isinstance(node, dict):
        return {key: _settle(value) for key, value in node.items()}
    return node

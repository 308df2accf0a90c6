"""The one local script: Vega and the page's own code, each file in it one idea."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import vl_convert

from bench.recommend import rule
from reports.pages.translation import javascript

PAGE = Path(__file__).parents[1] / "page"
ORDER = (
    "element.js",
    "format.js",
    "columns.js",
    "csv.js",
    "state.js",
    "selection.js",
    "visible.js",
    "axes.js",
    "labels.js",
    "tooltip.js",
    "chart.js",
    "filters.js",
    "pareto.js",
    "verdict.js",
    "figures/work_precision.js",
    "figures/budget.js",
    "figures/scaling.js",
    "figures/residuals.js",
    "figures/heat_map.js",
    "figures/bias_forest.js",
    "figures/convergence.js",
    "figures/step_size.js",
    "figures/memory.js",
    "figures/outcomes.js",
    "figures/history.js",
    "verdict_table.js",
    "exponents.js",
    "precisions.js",
    "compare.js",
    "quality.js",
    "raw_table.js",
    "main.js",
    "history.js",
    "training.js",
)


@cache
def script() -> str:
    """Vega, then the verdict's rule from Python and the page's files in order, in one function of their own.

    Charts are compiled from Vega-Lite when the page is built.
    """
    own = "\n".join([javascript(rule), *((PAGE / name).read_text(encoding="utf-8") for name in ORDER)])
    return f'{vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")}\n(() => {{\n"use strict";\n{own}\n}})();\n'


def style() -> str:
    """The one style sheet."""
    return (PAGE / "report.css").read_text(encoding="utf-8")

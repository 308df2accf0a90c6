"""A page for each estimator: what it computes, what it costs by its own account, its points, and its failures."""

from __future__ import annotations

import inspect
import re
import zlib
from typing import Any
from urllib.parse import urlencode

import pandas as pd

import estimators
from estimators.cost import SYMBOLS, Cost
from reports.pages.formula import formula, prose
from reports.pages.templates import render
from reports.palette import Mark

MOST_POINTS, MOST_FAILURES, LONGEST = 400, 60, 20_000
_COLUMNS = {
    "option_text": "options", "model": "model", "dim": "D", "depth": "depth", "order": "T", "batch": "batch",
    "dtype": "precision", "device": "device", "time_step_s": "step, ms", "peak_step_bytes": "peak memory, MB",
    "rmse": "gradient RMSE", "grad_bias": "bias", "grad_std": "std of a draw", "draws": "draws",
}  # fmt: skip
_INTERVALS = {
    "time_step_s": ("time_step_low_s", "time_step_high_s"), "rmse": ("rmse_low", "rmse_high"),
    "grad_bias": ("grad_bias_low", "grad_bias_high"), "grad_std": ("std_low", "std_high"),
}  # fmt: skip
_SCALES = {"time_step_s": 1e3, "peak_step_bytes": 1e-6}


def page_of(name: str) -> str:
    """The page's path below the report's folder. Names that are no registry names get a number instead."""
    safe = (
        name
        if re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name)
        else f"unnamed-{zlib.crc32(name.encode('utf-8', 'replace'))}"
    )
    return f"estimators/{safe}.html"


def estimator_page(name: str, points: pd.DataFrame, mark: Mark) -> str:
    """The document, from the registry where the estimator is registered, and from its points."""
    own = points[points["estimator"] == name]
    failures = own[~own["ok"]].head(MOST_FAILURES)
    return render(
        "estimator.html.j2",
        root="../",
        skip_to="points",
        name=name,
        mark=mark,
        facts=_facts(name),
        columns=list(_COLUMNS.values()),
        points=[[_shown(column, row) for column in _COLUMNS] for _, row in own[own["ok"]].head(MOST_POINTS).iterrows()],
        total=int(own["ok"].sum()),
        failures=[_failure(row) for _, row in failures.iterrows()],
        failed=int((~own["ok"]).sum()),
        beside=_beside(own),
        sources=sorted({str(s)[:16] for s in own["estimator_source"].dropna()})[:8],
    )


def _beside(own: pd.DataFrame) -> str:
    """Which view of the report shows it: the quantity and the model that it was measured on most."""
    finished = own[own["ok"]] if own["ok"].any() else own
    sizes = finished.groupby(["quantity", "model"]).size()
    return urlencode(dict(zip(("quantity", "model"), map(str, sizes.idxmax()), strict=True))) if len(sizes) else ""


def _facts(name: str) -> dict[str, Any] | None:
    try:
        estimator = estimators.get(name)
    except KeyError:
        return None
    paragraphs = [p.strip() for p in re.split(r"\n\s*\n", inspect.cleandoc(estimator.__doc__ or "")) if p.strip()]
    vanishing = (
        f"vanishing as {estimator.step}^{estimator.bias_order}" if estimator.bias == "vanishing" else estimator.bias
    )
    return {
        "summary": prose(paragraphs[0]) if paragraphs else "",
        "formula": formula(estimator.formula),
        "code": _code(estimator.function),
        "rest": [prose(p) for p in paragraphs[1:] if p != estimator.formula],
        "lines": {
            "quantity": estimator.quantity.replace("_", " "),
            "bias": vanishing,
            "stochastic": "yes" if estimator.stochastic else "no",
            "converges to": estimator.target,
            "orders": "any" if estimator.orders == "any" else ", ".join(map(str, estimator.orders)),
            "needs of the model": estimator.needs.replace("_", " "),
            "options": ", ".join(f"{option} = {value}" for option, value in estimator.options.items()) or "none",
            "pair": estimator.pair or "–",
            **_cost(estimator.cost),
            "tags": ", ".join(estimator.tags) or "–",
            "source": estimator.source or "–",
            "defined in": f"{estimator.function.__module__}, line {estimator.function.__code__.co_firstlineno}",
        },
    }


def _cost(cost: Cost | None) -> dict[str, str]:
    """What the estimator declares to cost, and what the letters in it stand for."""
    if cost is None:
        return {"passes": "not declared"}
    letters = {read for expression in cost.expressions().values() for read in expression.reads}
    return {
        "passes": f"{cost.passes} for the value, {cost.step_passes} with the θ-gradient",
        "memory": f"O({cost.memory}) numbers a row for the value, O({cost.step_memory}) with the θ-gradient",
        "where": ", ".join(f"{letter} is {meaning}" for letter, meaning in SYMBOLS.items() if letter in letters),
    }


def _code(function: Any) -> str:
    """Its source as it stands where the report is built; what was measured is told by its hash."""
    try:
        return inspect.getsource(function)[:LONGEST]
    except (OSError, TypeError):
        return ""


def _shown(column: str, row: pd.Series) -> str:
    """The value, with its 95 % interval where it has one; a bias not told from zero stands below its upper end."""
    value = row[column]
    if value is None or value != value:
        return "–"
    if not isinstance(value, float):
        return str(value)[:60]
    scale = _SCALES.get(column, 1.0)
    low, high = (row[end] * scale for end in _INTERVALS.get(column, (column, column)))
    if column == "grad_bias" and row["bias_resolved"] is False:
        return f"< {high:.3g}"
    number = f"{value * scale:.6g}" if value.is_integer() else f"{value * scale:.3g}"
    return number + (f" ({low:.3g} to {high:.3g})" if low < high else "")


def _failure(row: pd.Series) -> dict[str, str]:
    output = row.get("output")
    return {
        "where": ", ".join(
            f"{n} {row[c]:g}" for n, c in (("D", "dim"), ("depth", "depth"), ("order", "order")) if row[c] == row[c]
        ),
        "options": str(row["option_text"])[:120],
        "outcome": str(row["outcome"]).replace("_", " "),
        "reason": str(row["reason"] or "")[:LONGEST],
        "output": (output if isinstance(output, str) else "")[-LONGEST:],
    }

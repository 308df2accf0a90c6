"""The history page: cost and accuracy against commits, and where a level changed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reports.figures import history as figure
from reports.figures import screen
from reports.frames import columnar
from reports.frames.history import History
from reports.frames.history_measures import MEASURES
from reports.frames.steps import steps
from reports.pages.templates import render
from reports.palette import marks

PAGE = "history.html"
MOST_STEPS, MOST_COMMITS, MOST_REMARKS = 200, 400, 20
MOST_ROWS = 50_000  # above, values of one commit alone are left out: there is nothing to follow


def history_page(history: History) -> str:
    """The document, with its data inside."""
    rows, found = history.rows, steps(history.rows)
    drawn = rows if len(rows) <= MOST_ROWS else rows[rows.duplicated("series", keep=False)]
    names = sorted({str(name) for name in rows["estimator"]})
    about = {
        "marks": {name: m.to_dict() for name, m in marks(names).items()},
        "specs": {figure.NAME: screen.vega(figure.on_screen())},
        "commits": [{"short": c.short, "day": c.day, "subject": c.subject[:120]} for c in history.commits],
        "measures": {m.name: {"title": m.title, "unit": m.unit} for m in MEASURES.values()},
        "dashes": figure.DASHES,
        "steps": columnar.columnar(found),
    }
    return render(
        "history.html.j2",
        root="",
        skip_to="history",
        commits=[_commit(history, place) for place in range(len(history.commits))][-MOST_COMMITS:],
        machines=sorted(set(rows["machine"])),
        steps=[_step(history, row) for row in found.head(MOST_STEPS).to_dict("records")],
        total=len(found),
        remarks=history.remarks[:MOST_REMARKS],
        data=columnar.embedded(columnar.columnar(drawn.drop(columns=["commit"]))),
        about=columnar.embedded(about),
    )


def _commit(history: History, place: int) -> dict[str, Any]:
    commit, rows = history.commits[place], history.rows[history.rows["place"] == place]
    failed = rows[rows["value"].isna()]
    return {
        "short": commit.short,
        "day": commit.day,
        "subject": commit.subject,
        "points": rows.groupby(["label", "quantity", "dim", "depth", "order", "setting"], dropna=False).ngroups,
        "failed": ", ".join(sorted({str(label) for label in failed["label"]}))[:200],
        "machines": rows.groupby("source")["machine"].nunique().to_dict(),
    }


def _step(history: History, step: dict[str, Any]) -> dict[str, str]:
    before, after = (history.commits[step[end]] for end in ("before", "after"))
    measure = MEASURES[step["measure"]]
    view = {name: step[name] for name in ("quantity", "dim", "depth", "order", "setting", "machine", "measure")}
    view |= {"estimator": step["label"]}
    sizes = {name: f"{step[name]:g}" for name in ("dim", "depth", "order") if not pd.isna(step[name])}
    return {
        "view": {**view, **sizes},
        "label": str(step["label"])[:80],
        "point": " · ".join(sizes.values()),
        "measure": measure.title,
        "word": step["word"],
        "old": _number(step["old"], measure.unit),
        "new": _number(step["new"], measure.unit),
        "change": _change(step["change"], measure.absolute),
        "before": before.short,
        "after": after.short,
        "subject": after.subject,
        "lasts": f"{step['lasts']}",
        "machine": str(step["machine"]),
    }


def _change(change: float, absolute: bool) -> str:
    if absolute:
        return f"{100 * change:+.3g} % of the gradient"
    return f"{100 * change:+.3g} %" if -0.5 < change < 1 else f"×{1 + change:.3g}"


def _number(value: float, unit: str) -> str:
    if unit == "error":
        return f"{100 * value:.3g} %"
    if unit == "plain steps":
        return f"{value:.3g}"
    scales = {"s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")), "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))}
    for factor, name in scales.get(unit, ((1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP"))):
        if value >= factor:
            return f"{value / factor:.3g} {name}"
    return f"{value:.3g} {unit}"

"""The training page: a section a problem, each with its curves against steps and seconds, and the time to a target."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bench.statistics.censoring import TimeToTarget
from reports.figures import screen
from reports.figures import training as figure
from reports.frames import columnar
from reports.frames.training import AXES, levels, names, table
from reports.pages.templates import render
from reports.palette import marks

PAGE = "training.html"
MOST_PROBLEMS = 40


def training_page(frame: pd.DataFrame, alone: bool = False) -> str:
    """The document, with its data inside; `frame` is what `reports.frames.training.load` gives.

    Where it is ``alone``, it has no link to an index.
    """
    problems = dict(list(names(frame).items())[:MOST_PROBLEMS])
    views, sections = {}, []
    for number, (problem, name) in enumerate(problems.items()):
        part = frame[frame["problem"] == problem]
        for axis in AXES:
            views[f"training_{number}_{axis}"] = figure.settings(part, axis)
        sections.append(
            {
                "number": number,
                "name": name,
                "title": str(part["title"].iloc[0])[:200],
                "seeds": part["seed"].nunique(),
                "held": {share: _number(level) for share, level in levels(part).items()},
                "lines": [_line(line) for line in table(part)],
                "scores": bool(part["score_l2"].notna().any()),
            }
        )
    about = {
        "marks": {name: m.to_dict() for name, m in marks(str(name) for name in frame["estimator"]).items()},
        "specs": {figure.NAME: screen.vega(figure.on_screen())},
        "views": views,
    }
    return render(
        "training.html.j2",
        root="",
        skip_to="training",
        alone=alone,
        sections=sections,
        axes=list(AXES),
        runs=frame["key"].nunique(),
        about=columnar.embedded(about),
    )


def _line(line: Any) -> dict[str, Any]:
    median, low, high = line.final
    return {
        "label": line.label,
        "outcomes": line.outcomes,
        "final": f"{_number(median)} ({_number(low)} to {_number(high)})" if math.isfinite(median) else "–",
        "noise": _number(line.noise),
        "scores": " · ".join(map(_number, line.scores)),
        "targets": [
            {"reached": f"{times['steps'].reached} of {line.runs}", **{axis: _time(times[axis]) for axis in AXES}}
            for times in line.targets.values()
        ],
    }


def _time(found: TimeToTarget) -> str:
    """The median and its interval; ∞ where the runs do not bound it."""
    if not found.reached:
        return f"> {_number(found.low)}" if found.low > 0 else "not reached"
    return f"{_number(found.median)} ({_number(found.low)} to {_number(found.high)})"


def _number(value: float) -> str:
    return (
        "–"
        if math.isnan(value)
        else "∞"
        if math.isinf(value)
        else f"{value:.4g}"
        if abs(value) < 1e4
        else f"{value:.3g}"
    )

"""The training page: a section a problem, each with its curves against steps and seconds, and the time to a target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.statistics.censoring import TimeToTarget
from reports.figures import samples as pictures
from reports.figures import screen
from reports.figures import training as figure
from reports.figures import training_noise as noise
from reports.frames import columnar
from reports.frames.families import families
from reports.frames.samples import Gallery
from reports.frames.training import AXES, MEASURES, levels, names, table
from reports.pages.templates import render

PAGE = "training.html"
MOST_PROBLEMS = 40


def training_page(frame: pd.DataFrame, alone: bool = False, galleries: Sequence[Gallery] = ()) -> str:
    """The document, with its data inside.

    Args:
        frame: what `reports.frames.training.load` gives.
        alone: whether there is no index to link to.
        galleries: what `reports.frames.samples.load` gives.
    """
    shown = {gallery.problem: gallery for gallery in galleries}
    problems = dict(list(names(frame).items())[:MOST_PROBLEMS])
    views, sections = {}, []
    for number, (problem, name) in enumerate(problems.items()):
        part = frame[frame["problem"] == problem]
        groups = families(part)
        for axis in AXES:
            for place, labels in enumerate(groups.values()):
                views[f"training_{number}_{axis}_{place}"] = figure.settings(
                    part, axis, labels if groups.keys() - {""} else None
                )
        views[f"training_{number}_noise"] = noise.settings(part)
        sections.append(
            {
                "number": number,
                "name": name,
                "title": str(part["title"].iloc[0])[:200],
                "seeds": part["seed"].nunique(),
                "families": list(groups),
                "held": {share: _number(level) for share, level in levels(part).items()},
                "lines": [_line(line) for line in table(part)],
                "scores": bool(part["score_l2"].notna().any()),
                "gallery": _gallery(shown[problem]) if problem in shown else None,
            }
        )
    about = {
        "marks": {name: m.to_dict() for name, m in noise.marks_of(frame).items()},
        "specs": {
            figure.NAME: screen.vega(figure.on_screen()),
            noise.NAME: screen.vega(figure.on_screen("log"), height=260),
        },
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


def _gallery(gallery: Gallery) -> dict[str, Any]:
    """Labels, each with its pictures, for the template."""
    by_label: dict[str, list[dict[str, Any]]] = {}
    for strip in pictures.strips(gallery):
        height, width = strip.picture.shape
        picture = {
            "row": pictures.ROWS.get(strip.row, strip.row),
            "uri": pictures.image_uri(strip.picture, gallery.kind),
            "width": width,
            "height": height,
        }
        by_label.setdefault(strip.label, []).append(picture)
    notes = {panel.label: panel.note for panel in gallery.panels}
    labels = [{"label": label, "pictures": made, "note": notes.get(label, "")} for label, made in by_label.items()]
    return {"kind": gallery.kind, "labels": labels, "caption": pictures.CAPTIONS[gallery.kind]}


def _line(line: Any) -> dict[str, Any]:
    median, low, high = line.final
    return {
        "label": line.label,
        "outcomes": line.outcomes,
        "final": f"{_number(median)} ({_number(low)} to {_number(high)})" if math.isfinite(median) else "–",
        "noise": _number(line.noise),
        "scores": " · ".join(map(_number, line.scores)),
        "targets": [
            {
                "share": f"{100 * share:g} %",
                "reached": f"{times['steps'].reached} of {line.runs}",
                **{name: _time(times[name]) for name in MEASURES},
            }
            for share, times in line.targets.items()
        ],
    }


def _time(found: TimeToTarget | None) -> str:
    """The median and its interval; ∞ where the runs do not bound it."""
    if found is None:
        return "–"
    if not found.reached:
        return f"> {_number(found.low, 3)}" if found.low > 0 else "not reached"
    return f"{_number(found.median, 3)} ({_number(found.low, 3)} to {_number(found.high, 3)})"


def _number(value: float, digits: int = 4) -> str:
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.3g}" if abs(value) >= 1e6 else f"{value:.0f}"

"""The index page: everything measured, in one document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from bench.columns import COLUMNS, NAMES
from bench.statistics.verdict import FLOOR, SAME_WITHIN
from reports.figures import outcomes, screen, step_size
from reports.figures.catalogue import FIGURES
from reports.frames import columnar
from reports.frames.environment import environment, machine_name
from reports.frames.fitted import fitted
from reports.pages.estimator import page_of
from reports.pages.templates import render
from reports.palette import marks

LEFT_OUT = ("time_samples", "extra", "output", "finished", "run", "convergence")
MOST_RUNS, MOST_CONVERGENCES = 50, 2000


def index_page(frame: pd.DataFrame, store: str, runs: Sequence[Mapping[str, Any]] = ()) -> str:
    """The document, with its data inside; `frame` is what `reports.frames.points` makes of the rows."""
    told = columnar.columnar(frame.drop(columns=list(LEFT_OUT), errors="ignore"))
    about = {
        "marks": {name: m.to_dict() for name, m in marks(_names(frame)).items()},
        "specs": {figure.NAME: screen.vega(figure.on_screen()) for figure in FIGURES.values()},
        "fits": fitted(frame),
        "convergence": {
            int(place): pairs for place, pairs in frame["convergence"].dropna().head(MOST_CONVERGENCES).items()
        },
        "compared": {"floor": FLOOR, "same_within": SAME_WITHIN},
        "published_steps": step_size.PUBLISHED,
        "pages": {name: page_of(name) for name in _names(frame)},
        "meanings": {column.name: column.meaning for column in COLUMNS},
        "derived": [name for name in frame.columns if name not in NAMES],
    }
    return render(
        "index.html.j2",
        root="",
        facts=_facts(frame, store),
        environment=environment(frame),
        runs=list(runs)[-MOST_RUNS:],
        outcome_colours=outcomes.COLOURS,
        floor=FLOOR,
        same_within=SAME_WITHIN,
        data=columnar.embedded(told),
        about=columnar.embedded(about),
    )


def _names(frame: pd.DataFrame) -> list[str]:
    return sorted({str(name) for name in frame["estimator"]})


def _facts(frame: pd.DataFrame, store: str) -> dict[str, Any]:
    days = sorted(str(time)[:10] for time in frame["started_at"].dropna())
    return {
        "points": f"{len(frame):,}",
        "estimators": frame["estimator"].nunique(),
        "failed": int((~frame["ok"]).sum()),
        "when": "–" if not days else days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}",
        "machines": sorted({machine_name(fingerprint) for fingerprint in frame["machine"].dropna().unique()})[:6],
        "torch": sorted(str(version)[:30] for version in frame["torch_version"].dropna().unique())[:6],
        "energy": bool(frame["energy_j"].notna().any()),
        "store": store[-120:],
        "built": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }

"""The page of the ledger: each claim with its source, our figure beside the paper's, the word, and what it rests on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.claims import WORDS, Entry, Finding, Run, claims, entries_of_rows
from bench.point import Point
from bench.train.training import Training
from reports.pages.estimator import page_of
from reports.pages.templates import render

PAGE = "claims.html"
DECADES = 1.0  # of a figure over its limit, on either side of the strip's middle


def ledger(rows: pd.DataFrame, training: pd.DataFrame | None = None) -> list[Entry]:
    """The verdicts on all claims from the rows of a report and the evaluations of its training runs."""
    asked = list(claims().values())
    points = [point for claim in asked for point in claim.points()]
    wanted = {"estimator": {p.estimator for p in points}, "dim": {p.problem.dim for p in points}}
    kept = rows[rows["estimator"].isin(wanted["estimator"]) & rows["dim"].isin(wanted["dim"])]
    return entries_of_rows(asked, kept.to_dict("records"), [] if training is None else _runs(training))  # type: ignore[arg-type]


def _runs(training: pd.DataFrame) -> list[Run]:
    """Each run with its evaluations; every evaluation of the frame holds the run's columns too."""
    made = []
    for _, evaluations in training.sort_values("place").groupby("key", sort=False):
        rows: list[Any] = evaluations.to_dict("records")
        made.append(Run(rows[0], tuple(rows)))
    return made


def claims_page(entries: Sequence[Entry], pages: Sequence[str] = ()) -> str:
    """The document; `pages` are those of the estimators that have one."""
    words = Counter(entry.verdict.word for entry in entries)
    return render(
        "claims.html.j2",
        root="",
        skip_to="ledger",
        pages=set(pages),
        words=[(word, _class(word), words[word]) for word in WORDS if words[word]],
        entries=[_told(entry) for entry in entries],
    )


def _told(entry: Entry) -> dict[str, Any]:
    claim, verdict = entry.claim, entry.verdict
    return {
        "name": claim.name,
        "title": claim.name.replace("_", " "),
        "subject": claim.subject.replace("_", " "),
        "word": verdict.word,
        "word_class": _class(verdict.word),
        "says": claim.says,
        "paper": str(claim.paper),
        "short": f"{claim.paper.authors.split(',')[0]} {claim.paper.year}",
        "place": claim.place,
        "figure": claim.figure,
        "known": claim.known,
        "ours": verdict.ours,
        "headline": verdict.findings[0].what if verdict.findings else "",
        "sentence": verdict.sentence,
        "measures": claim.measures,
        "rule": claim.rule,
        "findings": [_finding(finding) for finding in verdict.findings],
        "points": [_point(point) for point in entry.points],
        "runs": [_run(group) for group in _by_seed(entry.runs)],
        "seconds": f"{entry.seconds:.0f}",
    }


def _class(word: str) -> str:
    return word.replace(" ", "-")


def _finding(finding: Finding) -> dict[str, Any]:
    figure = finding.figure
    ends = (figure.low, figure.number, figure.high)
    places = [_place(value, finding.limit, max(map(abs, ends))) for value in ends]
    return {
        "what": finding.what,
        "ours": str(figure),
        "asked": finding.asked,
        "held": {True: "holds", False: "does not hold", None: "undecided"}[finding.holds],
        "word_class": {True: "reproduced", False: "not-reproduced", None: "undecided"}[finding.holds],
        "wants_more": finding.at_least is not None,
        "places": [100 * place for place in places],
    }


def _place(value: float, limit: float, largest: float) -> float:
    """Where a value stands on a strip with its limit in the middle, 0 to 1.

    Logarithmic, a decade on either side; linear up to the figure's largest end where the limit is zero.
    """
    if limit == 0:
        return 0.5 + 0.5 * (value / largest if largest > 0 else 0.0)
    decades = math.log10(value / limit) if value > 0 and limit > 0 else -DECADES
    return 0.5 + 0.5 * max(-1.0, min(1.0, decades / DECADES))


def _by_seed(runs: Sequence[Training]) -> list[list[Training]]:
    """Runs that differ by their seed alone, together."""
    groups: dict[tuple[str, ...], list[Training]] = {}
    for training in runs:
        point = training.point
        groups.setdefault((training.problem, point.estimator, str(dict(point.options))), []).append(training)
    return list(groups.values())


def _run(group: Sequence[Training]) -> dict[str, str]:
    first = group[0]
    how = ", ".join(f"{name} = {value:g}" for name, value in first.optimiser_options.items())
    point = _point(first.point)
    point["where"] += f"; {first.optimiser}, {how}, {first.steps} steps, {first.rows} rows, {len(group)} seeds"
    return point


def _point(point: Point) -> dict[str, str]:
    p = point.problem
    options = ", ".join(f"{name} = {value}" for name, value in point.options.items() if value is not None)
    return {
        "estimator": point.estimator,
        "page": page_of(point.estimator),
        "options": options,
        "where": f"{p.model}, {p.data}, D = {p.dim}, depth {p.depth}, order {point.order}, {p.stage}, batch {p.batch}, "
        f"{point.dtype}",
    }

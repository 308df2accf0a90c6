"""The ledger: all claims, found by their files; the points they need; and the verdict on each from a store's rows."""

from __future__ import annotations

import difflib
import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.claims.claim import Claim, Verdict, unmeasured
from bench.claims.errors import ClaimError
from bench.claims.rows import NotMeasured, Rows
from bench.columns import COLUMNS
from bench.point import Point

if TYPE_CHECKING:
    from bench.store import Store

SUBJECTS = ("score_matching", "directional", "laplacian", "equilibrium", "flows", "training")
IDENTITY = tuple(c.name for c in COLUMNS if c.group == "identity" and c.name not in ("options", "probes"))

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """A line of the ledger: a claim, the verdict on it, how many points it rests on, and the seconds they took."""

    claim: Claim
    verdict: Verdict
    points: tuple[Point, ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The line as plain data, for JSON."""
        c, v = self.claim, self.verdict
        return {
            "name": c.name,
            "subject": c.subject,
            "claim": c.says,
            "source": f"{c.paper}, {c.place}",
            "paper_figure": c.figure,
            "paper_figure_known": c.known,
            "measured": c.measures,
            "rule": c.rule,
            "word": v.word,
            "number": v.number,
            "low": v.low,
            "high": v.high,
            "unit": v.unit,
            "sentence": v.sentence,
            "findings": [
                {
                    "what": f.what,
                    "number": f.figure.number,
                    "low": f.figure.low,
                    "high": f.figure.high,
                    "unit": f.figure.unit,
                    "asked": f.asked,
                    "holds": f.holds,
                }
                for f in v.findings
            ],
            "points": [point.label for point in self.points],
            "duration_s": round(self.seconds, 1),
        }


@cache
def claims() -> dict[str, Claim]:
    """All claims by name, subject by subject."""
    found = {}
    for subject in SUBJECTS:
        for file in sorted((Path(__file__).parent / subject).glob("[a-z]*.py")):
            claim = importlib.import_module(f"bench.claims.{subject}.{file.stem}").CLAIM
            found[file.stem] = replace(claim, name=file.stem, subject=subject)
    return found


def chosen(names: Iterable[str]) -> list[Claim]:
    """The claims of these names, in the ledger's order; all of them for none.

    Raises:
        ClaimError: there is no such claim.
    """
    known, names = claims(), list(names)
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            hint = f"did you mean {' or '.join(close)}?" if close else "`claims --list` names them all"
            raise ClaimError(f"no claim called {name!r}; {hint}")
    return [claim for claim in known.values() if not names or claim.name in names]


def points_of(asked: Iterable[Claim]) -> list[Point]:
    """The points that claims need, each once."""
    found = {point.to_json(): point for claim in asked for point in claim.points()}
    return list(found.values())


def entries_of_store(asked: Sequence[Claim], store: Store) -> list[Entry]:
    """The ledger from the rows that were measured with what is here now: by their keys."""
    from bench import runner

    return [
        _entry(claim, {p.to_json(): row for p in claim.points() if (row := store.get(runner.key_of(p))) is not None})
        for claim in asked
    ]


def entries_of_rows(asked: Sequence[Claim], rows: Iterable[Row]) -> list[Entry]:
    """The ledger from rows of anywhere: each claim's from the machine that has most of its points.

    Args:
        asked: claims.
        rows: one for each identity and machine, as `bench.store.latest` gives them.
    """
    by_machine: dict[str, dict[tuple[Any, ...], Row]] = {}
    for row in rows:
        by_machine.setdefault(str(row.get("machine")), {})[_identity(row)] = row
    entries = []
    for claim in asked:
        wanted = {point.to_json(): _identity(point.identity()) for point in claim.points()}
        found = [{line: held[at] for line, at in wanted.items() if at in held} for held in by_machine.values()]
        entries.append(_entry(claim, max(found, key=len, default={})))
    return entries


def _identity(row: Row) -> tuple[Any, ...]:
    """What tells points apart; whole numbers equal their floats, as frames hold them."""
    return (
        *(row.get(name) for name in IDENTITY),
        json.dumps(dict(row.get("options") or {}), sort_keys=True, default=str),
    )


def _entry(claim: Claim, rows: Mapping[str, Row]) -> Entry:
    points, held = claim.points(), Rows(rows)
    try:
        verdict = claim.judge(held)
    except NotMeasured as missing:
        verdict = unmeasured("not measured yet", str(missing))
    return Entry(claim, verdict, tuple(points), held.seconds(points))

"""The ledger: all claims, found by their files; the points and training runs they need; and the verdict on each."""

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
from bench.claims.errors import ClaimError, NotMeasured
from bench.claims.rows import Rows
from bench.claims.runs import Run, Runs
from bench.columns import COLUMNS
from bench.point import Point
from bench.train.training import Training

if TYPE_CHECKING:
    from bench.store import Store

SUBJECTS = ("score_matching", "directional", "laplacian", "equilibrium", "flows", "training")
IDENTITY = tuple(c.name for c in COLUMNS if c.group == "identity" and c.name not in ("options", "probes"))

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """A line of the ledger: a claim, the verdict on it, what it rests on, and the seconds that took."""

    claim: Claim
    verdict: Verdict
    points: tuple[Point, ...]
    runs: tuple[Training, ...]
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
            "runs": [training.label for training in self.runs],
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


def runs_of(asked: Iterable[Claim]) -> list[Training]:
    """The training runs that claims need, each once: seeds outermost, so that a drift hits all alike."""
    found = {training.to_json(): training for claim in asked for training in claim.runs()}
    return sorted(found.values(), key=lambda training: training.point.problem.seed)


def entries_of_store(asked: Sequence[Claim], store: Store) -> list[Entry]:
    """The ledger from what was measured with what is here now: by the keys of points and runs."""
    from bench import runner
    from bench.train import runner as training_runner

    entries = []
    for claim in asked:
        points, runs = claim.points(), claim.runs()
        rows = {p.to_json(): row for p in points if (row := store.get(runner.key_of(p))) is not None}
        keys = {training.to_json(): training_runner.key_of(training) for training in runs}
        ended = {line: run for line, key in keys.items() if (run := store.training_run(key)) and run["finished"]}
        made = {line: Run(run, tuple(store.training_points(run["key"]))) for line, run in ended.items()}
        entries.append(_entry(claim, rows, made))
    return entries


def entries_of_rows(asked: Sequence[Claim], rows: Iterable[Row], runs: Iterable[Run] = ()) -> list[Entry]:
    """The ledger from rows of anywhere: each claim's from the kind of machine that has most of its points and runs.

    Args:
        asked: claims.
        rows: one for each identity and machine, as `bench.store.latest` gives them.
        runs: the same of training runs.
    """
    by_machine: dict[str, tuple[dict[tuple[Any, ...], Row], dict[tuple[Any, ...], Run]]] = {}
    for row in rows:
        there = by_machine.setdefault(_kind_of_machine(row), ({}, {}))[0]
        there[_identity(row)] = max(there.get(_identity(row), row), row, key=_started)
    for run in runs:
        made = by_machine.setdefault(_kind_of_machine(run.row), ({}, {}))[1]
        made[_of_run(run.row)] = max(made.get(_of_run(run.row), run), run, key=lambda each: _started(each.row))
    entries = []
    for claim in asked:
        points = {point.to_json(): _identity(point.identity()) for point in claim.points()}
        trainings = {training.to_json(): _of_run(training.identity()) for training in claim.runs()}
        found = [(_held(points, theirs), _held(trainings, made)) for theirs, made in by_machine.values()]
        entries.append(_entry(claim, *max(found, key=lambda both: len(both[0]) + len(both[1]), default=({}, {}))))
    return entries


def _held(wanted: Mapping[str, tuple[Any, ...]], there: Mapping[tuple[Any, ...], Any]) -> dict[str, Any]:
    return {line: there[at] for line, at in wanted.items() if at in there}


def _kind_of_machine(row: Row) -> str:
    """Processor, cores and GPUs, as in a row's key; a machine that is told otherwise is a kind of its own.

    What else a fingerprint holds, such as the cores that a run could use or the kernel, makes no other machine.
    """
    told = str(row.get("machine"))
    try:
        facts = json.loads(told)
        return json.dumps([facts["cpu"], facts["cores_logical"], facts.get("gpus", [])])
    except (ValueError, TypeError, KeyError):
        return told


def _started(row: Row) -> str:
    return str(row.get("started_at") or "")


def _of_run(row: Row) -> tuple[Any, ...]:
    """What tells training runs apart: how and what is trained, the seed, and the estimator."""
    return row.get("problem"), row.get("seed"), row.get("estimator"), _options(row)


def _options(row: Row) -> str:
    return json.dumps(dict(row.get("options") or {}), sort_keys=True, default=str)


def _identity(row: Row) -> tuple[Any, ...]:
    """What tells points apart; whole numbers equal their floats, as frames hold them."""
    return *(row.get(name) for name in IDENTITY), _options(row)


def _entry(claim: Claim, rows: Mapping[str, Row], made: Mapping[str, Run]) -> Entry:
    points, runs, held = claim.points(), claim.runs(), Rows(rows, Runs(made))
    try:
        verdict = claim.judge(held)
    except NotMeasured as missing:
        verdict = unmeasured(str(missing))
    return Entry(claim, verdict, tuple(points), tuple(runs), held.seconds(points) + held.runs.seconds(runs))

"""Training runs as frames: an evaluation a row; curves with their bands over seeds; the time to a target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.recommend.labels import labels
from bench.statistics.censoring import TimeToTarget, time_to_target
from bench.store import Store
from bench.store.training import ASIDE
from bench.train.columns import POINT_TYPES

AXES = {"steps": "Steps", "train_s": "Training time, evaluations left out (s)"}
MEASURES = {**AXES, "evaluations": "Evaluations of the model"}
"""What a target is reached in: the axes, and the steps' operations over those of one evaluation of the model."""
TARGETS = (0.5, 0.9)
KEPT = ("problem", "title", "estimator", "options", "quantity", "model", "data", "dim", "depth", "width", "activation")
SETTING = ("batch", "dtype", "device", "threads", "optimiser", "optimiser_options", "seed", "outcome", "reason")
APART = {
    "width": "width {:g}",
    "activation": "{}",
    "residual": "residual {}",
    "stage": "from {}",
    "dtype": "{}",
    "device": "{}",
    "threads": "{:g} threads",
    "budget_steps": "{:g} steps",
    "budget_s": "{:g} s",
    "rows": "{:g} rows",
    "held_out": "{:g} held out",
    "marks": "{:g} evaluations",
    "score_points": "{:g} score points",
}
"""What tells problems apart that are else named alike, in words."""
_COST = ("target", "started_at", "peak_step_bytes", "flops_step", "parameters", "machine", "duration_s")
_COLUMNS = tuple(dict.fromkeys((*KEPT, *SETTING, *APART, *_COST)))


def load(path: str | Path) -> pd.DataFrame:
    """Every evaluation of the runs that have ended, with its run's columns and a label.

    Of one run in several versions (another source, another torch) the newest alone.

    Raises:
        StoreError: there is no store, or it is not ours.
    """
    with Store(path, must_exist=True) as store:
        told = labelled_runs(store)
        points = list(store.training_points())
    chosen = {run["key"]: run for _, run in told}
    names = {run["key"]: label for label, run in told}
    rows = [
        {**{name: chosen[point["key"]][name] for name in _COLUMNS}, "label": names[point["key"]], **point}
        for point in points
        if point["key"] in chosen
    ]
    return _typed(rows)


def labelled_runs(store: Store) -> list[tuple[str, dict[str, Any]]]:
    """The runs that have ended, each with its label: of one in several versions the newest alone."""
    runs = [run for run in store.training_runs() if run["finished"] and ASIDE not in run["key"]]
    newest: dict[tuple[str, ...], dict[str, Any]] = {}
    for run in sorted(runs, key=lambda run: str(run["started_at"])):
        newest[(run["contest"], run["estimator"], str(run["options"]), run["machine"])] = run
    told = labels([(run["estimator"], run["options"]) for run in newest.values()])
    return [(label, run) for (label, *_), run in zip(told, newest.values(), strict=True)]


def nothing() -> pd.DataFrame:
    """The frame of no runs."""
    return _typed([])


def _typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[*_COLUMNS, "label", *POINT_TYPES])
    for name, kind in POINT_TYPES.items():
        if kind in (int, float):
            frame[name] = pd.to_numeric(frame[name], errors="coerce").astype(float)
    return frame


def names(frame: pd.DataFrame) -> dict[str, str]:
    """Problem → its name, of those in the frame, in the order of their titles; names alike say what differs too."""
    firsts = frame.drop_duplicates("problem").sort_values(["title", "model"], kind="stable")
    plain = {
        row.problem: f"{row.model} on {row.data}, D = {row.dim}, depth {row.depth}, batch {row.batch}, "
        f"{row.optimiser} {_options(row.optimiser_options)}".strip()
        for row in firsts.itertuples()
    }
    rows = {row["problem"]: row for row in firsts.to_dict("records")}
    return {
        problem: ", ".join(
            [name, *_differences(rows[problem], [rows[p] for p, other in plain.items() if other == name])]
        )
        for problem, name in plain.items()
    }


def _differences(row: dict[str, Any], alike: list[dict[str, Any]]) -> list[str]:
    """What a row has otherwise than another one, in words."""
    different = [name for name in APART if len({str(other[name]) for other in alike}) > 1]
    return [APART[name].format(row[name]) for name in different if not pd.isna(row[name])]


def curves(frame: pd.DataFrame, axis: str, column: str = "objective") -> pd.DataFrame:
    """The median of the objective, or of another column, over the seeds of each label of one problem, and their range.

    Runs that did not end well are no part of a band. Where the seeds' evaluations stand at different x, as seconds do,
    each run is interpolated linearly at as many x up to where the first of them ends.

    Returns:
        estimator, label, series, x, y, y_low, y_high, seeds; one row a place on a curve.
    """
    rows = []
    for (estimator, label), group in frame[frame["outcome"] == "ok"].groupby(["estimator", "label"], sort=True):
        runs = [run.sort_values("place") for _, run in group.groupby("key")]
        xs = [run[axis].to_numpy(dtype=float) for run in runs]
        ys = [run[column].to_numpy(dtype=float) for run in runs]
        alike = all(len(x) == len(xs[0]) and np.array_equal(x, xs[0]) for x in xs)
        grid = xs[0] if alike else np.linspace(0.0, min(x[-1] for x in xs), max(map(len, xs)))
        over = np.stack([np.interp(grid, x, y) for x, y in zip(xs, ys, strict=True)])
        for x, y in zip(grid, over.T, strict=True):
            middle, low, high = float(np.median(y)), float(y.min()), float(y.max())
            where = {"estimator": estimator, "label": label, "series": label, "x": float(x), "seeds": len(runs)}
            rows.append({**where, "y": middle, "y_low": low, "y_high": high})
    columns = ["estimator", "label", "series", "x", "seeds", "y", "y_low", "y_high"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class Line:
    """One label of a problem: how its runs ended, and how long they took to each target.

    Attributes:
        label: the label.
        estimator: its estimator.
        runs: how many.
        outcomes: how they ended, in words.
        final: median, lowest and highest objective at the end, of those that ended well.
        noise: median std of one draw of the gradient over the norm of the exact one, at the last evaluation.
        scores: median score errors at the end: L2, median, 0.99-quantile; NaN where the truth is not known.
        targets: share of the way → measure → the time to it; None where a run does not know the measure.
    """

    label: str
    estimator: str
    runs: int
    outcomes: str
    final: tuple[float, float, float]
    noise: float
    scores: tuple[float, float, float]
    targets: dict[float, dict[str, TimeToTarget | None]]


def levels(frame: pd.DataFrame) -> dict[float, float]:
    """The targets of one problem: shares of the way from the mean objective at the start to the best median end."""
    start = float(frame.loc[frame["place"] == 0, "objective"].mean())
    ends = [float(group["y"].iloc[-1]) for _, group in curves(frame, "steps").groupby("label")]
    best = min(ends, default=start)
    return {share: start - share * (start - best) for share in TARGETS}


def table(frame: pd.DataFrame) -> Iterator[Line]:
    """The lines of one problem, the lowest objective first."""
    wanted = levels(frame)
    longest = {measure: float(frame[measure].max()) for measure in MEASURES}
    lines = []
    for (estimator, label), group in frame.groupby(["estimator", "label"], sort=True):
        runs = [run.sort_values("place") for _, run in group.groupby("key")]
        ended = [str(run["outcome"].iloc[0]) for run in runs]
        well = [run.iloc[-1] for run, outcome in zip(runs, ended, strict=True) if outcome == "ok"]
        finals = [float(run["objective"]) for run in well] or [math.nan]
        counts = {outcome: ended.count(outcome) for outcome in dict.fromkeys(ended)}
        rose = sum(str(run["reason"].iloc[0]).startswith("diverged") for run in runs)
        words = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        lines.append(
            Line(
                label=str(label),
                estimator=str(estimator),
                runs=len(runs),
                outcomes=words + (f", {rose} above the start" if rose else ""),
                final=(float(np.median(finals)), min(finals), max(finals)),
                noise=_median([float(run["grad_std"]) for run in well]),
                scores=tuple(  # type: ignore[arg-type]
                    _median([float(run[name]) for run in well]) for name in ("score_l2", "score_median", "score_q99")
                ),
                targets={
                    share: {measure: _times(runs, measure, level, longest[measure]) for measure in MEASURES}
                    for share, level in wanted.items()
                },
            )
        )
    yield from sorted(lines, key=lambda line: (math.isnan(line.final[0]), line.final[0]))


def _times(runs: list[pd.DataFrame], axis: str, level: float, longest: float) -> TimeToTarget | None:
    if any(run[axis].isna().any() for run in runs):
        return None
    times, reached = [], []
    for run in runs:
        time = first_crossing(run[axis].to_numpy(dtype=float), run["objective"].to_numpy(dtype=float), level)
        ended_badly = run["outcome"].iloc[0] == "nonfinite"  # it can never come, however long
        times.append(time if time is not None else longest if ended_badly else float(run[axis].iloc[-1]))
        reached.append(time is not None)
    return time_to_target(times, reached)


def first_crossing(x: np.ndarray, y: np.ndarray, level: float) -> float | None:
    """Where a curve first falls to a level, linearly between its points; None where it does not."""
    for k in range(len(y)):
        if y[k] <= level:
            if k == 0:
                return float(x[0])
            return float(x[k - 1] + (x[k] - x[k - 1]) * (y[k - 1] - level) / (y[k - 1] - y[k]))
    return None


def _median(values: list[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else math.nan


def _options(options: Any) -> str:
    if not isinstance(options, dict):
        return ""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in options.items()
    )

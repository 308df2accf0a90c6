"""What a rule reads from training runs: differences over the same seeds, as shares of the way that was trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.claims.claim import Figure
from bench.claims.errors import NotMeasured
from bench.statistics.mean import mean_interval
from bench.train.training import Training

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A training run that has ended: its row, and its evaluations in their order."""

    row: Row
    evaluations: tuple[Row, ...]


class Runs:
    """The training runs of a claim.

    Figures join pairs of runs with the same seed, one pair a seed: the mean over seeds with the paired t interval. What
    seeds share, the split in training and held-out rows, is not in that interval.
    """

    def __init__(self, runs: Mapping[str, Run]) -> None:
        """Runs by their `Training.to_json`."""
        self._runs = runs

    def __getitem__(self, training: Training) -> Run:
        """The run, however it ended.

        Raises:
            NotMeasured: there is none.
        """
        run = self._runs.get(training.to_json())
        if run is None:
            raise NotMeasured(f"no training run of {training.label}")
        return run

    def ended_well(self, training: Training) -> bool:
        """Whether it came to its end with a finite objective that is no worse than where it began.

        Raises:
            NotMeasured: there is no run, or it ended as something else than ``ok`` and ``nonfinite``.
        """
        run = self[training]
        if run.row["outcome"] not in ("ok", "nonfinite"):
            raise NotMeasured(f"{training.label} ended as {run.row['outcome']}: {run.row.get('reason') or 'no reason'}")
        return bool(run.row["outcome"] == "ok") and not str(run.row.get("reason") or "").startswith("diverged")

    def curve(self, training: Training, column: str = "objective") -> np.ndarray:
        """A column at every evaluation, the one before the first step included.

        Raises:
            NotMeasured: there is no run, it did not end well enough to have them all, or one is empty.
        """
        run = self[training]
        if run.row["outcome"] != "ok":
            raise NotMeasured(f"{training.label} ended as {run.row['outcome']}: {run.row.get('reason') or 'no reason'}")
        values = np.array([_number(evaluation.get(column)) for evaluation in run.evaluations])
        if len(values) != training.marks + 1 or not np.isfinite(values).all():
            raise NotMeasured(f"{training.label} has no {column} at every evaluation")
        return values

    def lowest(self, trainings: Sequence[Training]) -> float:
        """The median over seeds of the lowest objective on the way."""
        return float(np.median([self.curve(each).min() for each in trainings]))

    def gap(self, ours: Sequence[Training], theirs: Sequence[Training], column: str = "objective") -> Figure:
        """How much higher a column ends than in the other runs, per cent of the way that those came down."""
        return self.paired(ours, theirs, lambda a, b: 100 * (a[-1] - b[-1]) / _way(b), "%", column)

    def lowest_gap(self, ours: Sequence[Training], theirs: Sequence[Training], among: int = 1) -> Figure:
        """How much higher the lowest objective on the way is: both are stopped where held-out rows say so.

        Per cent of the way that the others came down to theirs.

        Args:
            ours: runs, one a seed.
            theirs: runs of the same seeds.
            among: of how many pairs this one was chosen by what they show; the interval holds for all of them.
        """

        def share(a: np.ndarray, b: np.ndarray) -> float:
            return float(100 * (a.min() - b.min()) / _way(np.minimum.accumulate(b)))

        return self.paired(ours, theirs, share, "%", among=among)

    def course(self, ours: Sequence[Training], theirs: Sequence[Training], column: str = "objective") -> Figure:
        """The same for the mean over all evaluations after the first, which falls behind where training is slower."""
        return self.paired(ours, theirs, lambda a, b: 100 * (a - b)[1:].mean() / _way(b), "%", column)

    def rises(self, ours: Sequence[Training], theirs: Sequence[Training]) -> Figure:
        """How much more the objective rises between evaluations, all rises together, per cent of its way down."""

        def share(curve: np.ndarray) -> float:
            return float(100 * np.diff(curve).clip(min=0).sum() / _way(np.minimum.accumulate(curve)))

        return self.paired(ours, theirs, lambda a, b: share(a) - share(b), "%")

    def paired(
        self,
        ours: Sequence[Training],
        theirs: Sequence[Training],
        of: Callable[[np.ndarray, np.ndarray], float],
        unit: str,
        column: str = "objective",
        among: int = 1,
    ) -> Figure:
        """The mean over seeds of a number that two curves give, with its t interval; ``among`` as in `lowest_gap`.

        Raises:
            NotMeasured: a run is missing, or gives no finite number.
        """
        curves = [(self.curve(a, column), self.curve(b, column)) for a, b in zip(ours, theirs, strict=True)]
        values = [float(of(a, b)) for a, b in curves]
        if not np.isfinite(values).all():
            raise NotMeasured(f"{theirs[0].label} has not come down, so that nothing can be told in shares of its way")
        return Figure(*mean_interval(values, 1 - 0.05 / among), unit)

    def ratio(self, ours: Sequence[Training], theirs: Sequence[Training], column: str) -> Figure:
        """A column of the runs' rows over another's, for what repeats exactly: bytes and operations of a step."""
        values = [
            _number(self[a].row.get(column)) / _number(self[b].row.get(column))
            for a, b in zip(ours, theirs, strict=True)
        ]
        if not np.isfinite(values).all():
            raise NotMeasured(f"{ours[0].label} or {theirs[0].label} has no {column}")
        return Figure(float(np.median(values)), min(values), max(values), "times")

    def seconds(self, trainings: Sequence[Training]) -> float:
        """What these runs took."""
        runs = (self._runs.get(training.to_json()) for training in trainings)
        return sum(_number(run.row.get("duration_s"), 0.0) for run in runs if run is not None)


def _way(curve: np.ndarray) -> float:
    """How far a curve came down; NaN where it did not."""
    way = float(curve[0] - curve[-1])
    return way if way > 0 else math.nan


def _number(value: Any, otherwise: float = math.nan) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return otherwise

"""What a rule reads from rows of points: ratios of times, bytes and operations, biases, noise, exponents; intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import chi2
from scipy.stats import f as fisher

from bench.claims.claim import Figure
from bench.claims.errors import NotMeasured
from bench.claims.figures import typical
from bench.claims.runs import Runs
from bench.diff.medians import ratio_interval as ratio_of_medians
from bench.point import Point
from bench.rounds import ratios_to_anchor
from bench.statistics.bootstrap import ratio_interval
from bench.statistics.exponent import exponent

TAIL = 0.025  # of a 95 % interval, on either side

Row = Mapping[str, Any]


def _to_anchor(row: Row) -> list[float]:
    return ratios_to_anchor(row) if isinstance(row.get("extra"), Mapping) else []


class Rows:
    """The rows of a claim's points, and its training runs.

    Attributes:
        runs: the latter.
    """

    def __init__(self, rows: Mapping[str, Row], runs: Runs | None = None) -> None:
        """Rows by their points' `Point.to_json`."""
        self._rows = rows
        self.runs = Runs({}) if runs is None else runs

    def __getitem__(self, point: Point) -> Row:
        """The row of a point.

        Raises:
            NotMeasured: there is none, or it did not end well.
        """
        row = self._rows.get(point.to_json())
        if row is None:
            raise NotMeasured(f"no row of {point.label}")
        if row["outcome"] != "ok":
            raise NotMeasured(f"{point.label} ended as {row['outcome']}: {row.get('reason') or 'no reason'}")
        return row

    def number(self, point: Point, column: str) -> float:
        """A column of a point's row.

        Raises:
            NotMeasured: it is empty.
        """
        row = self[point]
        try:
            value = float(row.get(column))  # type: ignore[arg-type]  # rows of a report may hold anything
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise NotMeasured(f"{point.label} has no {column}: {row.get('reason') or 'not measured'}")
        return value

    def _samples(self, point: Point, values: Any) -> np.ndarray:
        try:
            samples = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            samples = np.empty(0)
        if samples.ndim != 1 or not len(samples) or not (np.isfinite(samples) & (samples > 0)).all():
            raise NotMeasured(f"{point.label} has no rounds to compare")
        return samples

    def ratio(self, over: Point, under: Point, column: str) -> Figure:
        """One column over another point's, for what repeats exactly: bytes and operations."""
        ratio = self.number(over, column) / self.number(under, column)
        return Figure(ratio, ratio, ratio, "times")

    def time_ratio(self, over: Point, under: Point) -> Figure:
        """Step time over another point's.

        Round by round where both were timed in one window; else the ratio of the medians of what each took over the
        anchor beside it, which drift of the machine leaves alone.
        """
        rounds = [self._samples(point, self[point].get("time_samples")) for point in (over, under)]
        groups = {self[point].get("round_group") for point in (over, under)}
        if len(groups) == 1 and None not in groups and len(rounds[0]) == len(rounds[1]):
            return Figure(*ratio_interval(rounds[0], rounds[1]), "times")
        above, below = (self._samples(point, _to_anchor(self[point])) for point in (over, under))
        low, high = ratio_of_medians(below, above, TAIL)
        return Figure(float(np.median(above) / np.median(below)), low, high, "times")

    def bias(self, point: Point, column: str = "grad_bias") -> Figure:
        """Relative bias of the gradient in per cent, with its interval."""
        ends = ("grad_bias", "grad_bias_low", "grad_bias_high")
        number, low, high = (100 * self.number(point, end) for end in ends)
        return Figure(number, low, high, "%")

    def typical_error(self, points: Sequence[Point], column: str = "grad_bias") -> Figure:
        """Relative error of a deterministic estimator's gradient, or values, over seeds: geometric mean, per cent.

        Raises:
            NotMeasured: one is missing, or exactly right, which has no logarithm.
        """
        errors = [100 * self.number(point, column) for point in points]
        if min(errors) <= 0:
            raise NotMeasured(f"{points[0].label} has a {column} of zero, which no geometric mean can hold")
        return typical(errors, "%")

    def noise_ratio(self, over: Point, under: Point, column: str = "grad_std", among: int = 1) -> Figure:
        """The standard deviation of one draw over another point's.

        The interval is that of a ratio of two χ with draws − 1 degrees of freedom, as if all noise had one direction:
        the widest case.

        Args:
            over: the numerator.
            under: the denominator.
            column: ``grad_std``, or another root of a mean square.
            among: of how many pairs this one was chosen by what they show; the interval holds for all of them.
        """
        ratio = self.number(over, column) / self.number(under, column)
        freedom = [self.number(point, "draws") - 1 for point in (over, under)]
        low, high = (ratio / math.sqrt(fisher.ppf(q, *freedom)) for q in (1 - TAIL / among, TAIL / among))
        return Figure(ratio, low, high, "times")

    def noise(self, point: Point) -> Figure:
        """The standard deviation of one draw of the gradient over the gradient, per cent; χ's widest interval."""
        std, draws = 100 * self.number(point, "grad_std"), self.number(point, "draws")
        low, high = (std * math.sqrt((draws - 1) / chi2.ppf(q, draws - 1)) for q in (1 - TAIL, TAIL))
        return Figure(std, low, high, "%")

    def work_ratio(self, over: Point, under: Point, minibatch: bool = False) -> Figure:
        """Step time times the variance of a draw over another point's: the time that averaging to one accuracy takes.

        Args:
            over: the numerator.
            under: the denominator.
            minibatch: whether every step has a fresh batch, whose noise adds to that of the draw.

        The interval joins the ends of the times' and of the two variances', which is wider than 95 %.
        """
        times, above, below = self.time_ratio(over, under), self.noise(over), self.noise(under)
        batch = [100 * self.number(point, "minibatch_std") if minibatch else 0.0 for point in (over, under)]

        def joined(time: float, std: float, other: float) -> float:
            return time * (std**2 + batch[0] ** 2) / (other**2 + batch[1] ** 2)

        return Figure(
            joined(times.number, above.number, below.number),
            joined(times.low, above.low, below.high),
            joined(times.high, above.high, below.low),
            "times",
        )

    def exponent(self, points: Sequence[Point], sizes: Sequence[float], column: str) -> Figure:
        """The exponent k of column ∝ size^k, three sizes or more; what does not change has exponent 0, exactly."""
        values = [self.number(point, column) for point in points]
        if len(set(values)) == 1:
            return Figure(0.0, 0.0, 0.0, "")
        return Figure(*exponent(sizes, values), "")

    def seconds(self, points: Sequence[Point]) -> float:
        """What measuring these points took."""
        rows = (self._rows.get(point.to_json()) for point in points)
        return sum(float(row.get("duration_s") or 0.0) for row in rows if row is not None)

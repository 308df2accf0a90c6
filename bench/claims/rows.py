"""What a rule reads from rows: ratios of times, bytes and operations, biases, noise and exponents, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import chi2
from scipy.stats import f as fisher

from bench.claims.claim import Figure
from bench.diff.medians import ratio_interval as ratio_of_medians
from bench.point import Point
from bench.rounds import ratios_to_anchor
from bench.statistics.bootstrap import ratio_interval
from bench.statistics.exponent import exponent

TAIL = 0.025  # of a 95 % interval, on either side

Row = Mapping[str, Any]


class NotMeasured(Exception):
    """A row that a rule needs is not there, or has no such number; the message says which and why."""


class Rows:
    """The rows of a claim's points."""

    def __init__(self, rows: Mapping[str, Row]) -> None:
        """Rows by their points' `Point.to_json`."""
        self._rows = rows

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
        value = self[point].get(column)
        if value is None or not math.isfinite(value):
            raise NotMeasured(f"{point.label} has no {column}: {self[point].get('reason') or 'not measured'}")
        return float(value)

    def ratio(self, over: Point, under: Point, column: str) -> Figure:
        """One column over another point's, for what repeats exactly: bytes and operations."""
        ratio = self.number(over, column) / self.number(under, column)
        return Figure(ratio, ratio, ratio, "times")

    def time_ratio(self, over: Point, under: Point) -> Figure:
        """Step time over another point's.

        Round by round where both were timed in one window; else the ratio of the medians of what each took over the
        anchor beside it, which drift of the machine leaves alone.
        """
        first, second = self[over], self[under]
        if first["round_group"] == second["round_group"]:
            middle, low, high = ratio_interval(first["time_samples"], second["time_samples"])
            return Figure(middle, low, high, "times")
        above, below = (np.array(ratios_to_anchor(row)) for row in (first, second))
        if not len(above) or not len(below):
            raise NotMeasured(f"{over.label} and {under.label} share neither rounds nor an anchor")
        low, high = ratio_of_medians(below, above, TAIL)
        return Figure(float(np.median(above) / np.median(below)), low, high, "times")

    def bias(self, point: Point, column: str = "grad_bias") -> Figure:
        """Relative bias of the gradient in per cent, with its interval."""
        ends = ("grad_bias", "grad_bias_low", "grad_bias_high")
        number, low, high = (100 * self.number(point, end) for end in ends)
        return Figure(number, low, high, "%")

    def value_bias(self, point: Point) -> Figure:
        """Relative error of the values of a deterministic estimator, per cent."""
        number = 100 * self.number(point, "value_bias")
        return Figure(number, number, number, "%")

    def noise_ratio(self, over: Point, under: Point, column: str = "grad_std") -> Figure:
        """The standard deviation of one draw over another point's.

        The interval is that of a ratio of two χ with draws − 1 degrees of freedom, as if all noise had one direction:
        the widest case.
        """
        ratio = self.number(over, column) / self.number(under, column)
        freedom = [self.number(point, "draws") - 1 for point in (over, under)]
        low, high = (ratio / math.sqrt(fisher.ppf(q, *freedom)) for q in (1 - TAIL, TAIL))
        return Figure(ratio, low, high, "times")

    def noise(self, point: Point) -> Figure:
        """The standard deviation of one draw of the gradient over the gradient, per cent; χ's widest interval."""
        std, draws = 100 * self.number(point, "grad_std"), self.number(point, "draws")
        low, high = (std * math.sqrt((draws - 1) / chi2.ppf(q, draws - 1)) for q in (1 - TAIL, TAIL))
        return Figure(std, low, high, "%")

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

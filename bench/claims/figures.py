"""Figures made of several numbers: a typical size over seeds, and a distance from zero."""

from __future__ import annotations

import math
from collections.abc import Iterable

from bench.claims.claim import Figure
from bench.statistics.mean import mean_interval


def typical(values: Iterable[float], unit: str) -> Figure:
    """The geometric mean over seeds of positive numbers, with the t interval of their logarithms."""
    middle, low, high = mean_interval([math.log(value) for value in values])
    return Figure(math.exp(middle), math.exp(low), math.exp(high), unit)


def apart(figure: Figure) -> Figure:
    """The distance from zero of a figure that may be on either side: where zero lies inside, from zero up."""
    inside = figure.low <= 0 <= figure.high
    ends = sorted((abs(figure.low), abs(figure.high)))
    return Figure(abs(figure.number), 0.0 if inside else ends[0], ends[1], figure.unit)

"""How long a step will take: seconds, how far they may be off, and what says so."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.meters.prediction import Prediction
from bench.meters.rates import Rates

RATES_SPREAD = 0.17
"""Std of log predicted over measured by the machine's rates alone, of the steps of `quick` on a quiet machine
(`bench.figures.plan_accuracy`, which printed 0.167 and 0.163)."""


@dataclass(frozen=True)
class StepTime:
    """A predicted step time.

    Attributes:
        seconds: the prediction.
        spread: std of its logarithm's error; the interval is seconds · exp(±1.96 spread).
        basis: what it rests on, in a few words.
    """

    seconds: float
    spread: float
    basis: str

    @property
    def low_s(self) -> float:
        """The lower end of the interval."""
        return self.seconds * math.exp(-1.96 * self.spread)

    @property
    def high_s(self) -> float:
        """The upper end of the interval."""
        return self.seconds * math.exp(1.96 * self.spread)


def by_rates(work: Prediction, rates: Rates) -> StepTime:
    """What the FLOPs, the bytes moved and the operations launched take together, by rates measured on plain steps."""
    seconds = (
        work.flops * rates.s_per_flop + work.moved_bytes * rates.s_per_byte + work.operations * rates.s_per_operation
    )
    return StepTime(seconds, RATES_SPREAD, "rates measured now on plain steps")

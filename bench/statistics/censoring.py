"""Time to a target over runs, some of which never reached it: the Kaplan-Meier median and its interval.

A run that stopped at its budget says only that its time is longer. Left out, or counted with its budget, it would make
a median of the lucky runs.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class TimeToTarget:
    """What n runs say of the time to a target.

    Attributes:
        runs: n.
        reached: how many reached it.
        median: the smallest time at which at least half are estimated to have reached it; infinite where too few did.
        low: lower end of its interval.
        high: upper end; infinite where the runs do not bound it.
    """

    runs: int
    reached: int
    median: float
    low: float
    high: float


def time_to_target(times: Sequence[float], reached: Sequence[bool], level: float = 0.95) -> TimeToTarget:
    """The median by Kaplan and Meier, with the interval of Brookmeyer and Crowley on the log-log scale.

    S(t) = Π_{t_i <= t} (1 − d_i/n_i), over times t_i at which d_i of the n_i runs then left reach the target. The
    interval holds the times at which S cannot be told from one half: the log-log interval of S(t) holds it.

    Args:
        times: of each run, when it reached the target, or until when it is known not to have. A run that can no longer
            reach it, for its parameters are not finite, counts with the longest budget, not with when it ended.
        reached: of each run, which of the two its time is.
        level: of the interval, in (0, 1).

    Raises:
        ValueError: no runs, as many times as truths are not given, a time that is not finite and >= 0, or a level
            outside (0, 1).

    Source: Kaplan, Meier (1958), Nonparametric estimation from incomplete observations, JASA 53; Brookmeyer, Crowley
    (1982), A confidence interval for the median survival time, Biometrics 38.
    """
    t, hit = np.asarray(times, dtype=float), np.asarray(reached, dtype=bool)
    if t.ndim != 1 or len(t) == 0 or t.shape != hit.shape:
        raise ValueError(
            f"times and reached have to be one row each, of the same length >= 1; got {t.shape}, {hit.shape}"
        )
    if not (np.isfinite(t).all() and (t >= 0).all()):
        raise ValueError("times have to be finite and >= 0; one that never came is a budget that was not enough")
    if not 0 < level < 1:
        raise ValueError(f"level has to be between 0 and 1; got {level!r}")
    count = int(hit.sum())
    if count == 0:  # of n runs with a median below the shortest, all would be longer with a probability below 2^-n
        low = float(t.min()) if 0.5 ** len(t) <= (1 - level) / 2 else 0.0
        return TimeToTarget(len(t), 0, math.inf, low, math.inf)
    left = stats.ecdf(stats.CensoredData(uncensored=t[hit], right=t[~hit])).sf
    events = np.unique(t[hit])
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy's, where S is 1 or 0, which is settled below
        ends = left.confidence_interval(level, method="log-log")
    # Where all that were left have reached it, S is 0 and its log-log interval is not defined: nothing is above then.
    lower = np.nan_to_num(ends.low.evaluate(events), nan=0.0)
    upper = np.where(left.evaluate(events) > 0, np.nan_to_num(ends.high.evaluate(events), nan=1.0), 0.0)
    return TimeToTarget(
        runs=len(t),
        reached=count,
        median=_first(events, left.evaluate(events) <= 0.5 + 1e-12),
        low=_first(events, lower <= 0.5),
        high=_first(events, upper < 0.5),
    )


def _first(times: np.ndarray, holds: np.ndarray) -> float:
    return float(times[np.argmax(holds)]) if holds.any() else math.inf

"""The fitted scaling laws, as plain data for the page: the same laws that `bench.recommend` answers from."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pandas as pd

from bench.recommend.fits import fits
from bench.recommend.measurement import SETTING, Measurement, measurements

MOST_SETTINGS = 60
_READ = (
    *("quantity", "target", "estimator", "options", "label", "dim", "depth", "order", "outcome", *SETTING),
    *("time_step_s", "time_step_low_s", "time_step_high_s", "peak_step_bytes", "grad_std"),
    *("grad_bias", "grad_bias_low", "grad_bias_high", "bias_resolved"),
)


def fitted(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """For each quantity and setting, most measured first: ``row`` (one that has it), ``points`` and ``fits``."""
    sized = frame[(frame["dim"] > 0) & (frame["depth"] > 0)]
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[int, Measurement]]] = defaultdict(list)
    records = sized[list(_READ)].to_dict("records")
    for row, measurement in zip(sized.index, measurements(records), strict=True):
        groups[measurement.quantity, measurement.setting].append((int(row), measurement))
    largest = sorted(groups.values(), key=len, reverse=True)[:MOST_SETTINGS]
    return [
        {"row": group[0][0], "points": len(group), "fits": [fit.to_dict() for fit in fits(m for _, m in group)]}
        for group in largest
    ]

"""The one frame under every figure: a row per measured point, with labels and an interval for every error."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

import estimators

ROUNDING = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}


def points(rows: pd.DataFrame) -> pd.DataFrame:
    """Add to the rows what figures draw.

    Columns added:
        label: the estimator, with those of its options that vary in these rows.
        option_text: those options alone; a figure writes them beside a mark.
        series: the label without probes and steps: points of one series are joined by a line.
        declared_bias: what the registry says of the estimator's bias, ``"unknown"`` where it is not registered.
        bias_sure: the bias that a verdict counts on. The upper end of the interval; but 0 where the estimator is
            unbiased by construction and the measurement resolved none.
        bias_low_sure: the lower end, likewise.
        std_low, std_high: 95 % interval of `grad_std`; from χ² with draws − 1 degrees of freedom (all noise in one
            direction, the widest case) unless the row brings `grad_std_low` and `grad_std_high`.
        rmse, rmse_low, rmse_high: √(bias² + std²) at each end.
        error_floor: rounding of the row's dtype; errors of exactly 0 are drawn there.
        finished: whether the outcome is ok.
        cell: the size, "D · depth · T".
    """
    frame = rows.copy()
    frame["option_text"], frame["label"], frame["series"] = _labels(rows)
    frame["declared_bias"] = [_declared_bias(name) for name in rows["estimator"]]
    unresolved = frame["bias_resolved"] == False  # noqa: E712  (None is neither)
    unbiased = (frame["declared_bias"] == "none") & unresolved
    frame["bias_sure"] = np.where(unbiased, 0.0, frame["grad_bias_high"].fillna(frame["grad_bias"]))
    frame["bias_low_sure"] = np.where(unbiased, 0.0, frame["grad_bias_low"].fillna(frame["grad_bias"]))
    frame["std_low"], frame["std_high"] = _std_interval(frame)
    frame["rmse"] = frame["grad_rmse"].fillna(np.hypot(frame["grad_bias"], frame["grad_std"]))
    frame["rmse_low"] = np.fmin(np.hypot(frame["grad_bias_low"], frame["std_low"]), frame["rmse"])
    frame["rmse_high"] = np.fmax(np.hypot(frame["grad_bias_high"], frame["std_high"]), frame["rmse"])
    frame["error_floor"] = frame["dtype"].map(ROUNDING).fillna(2.0**-52)
    frame["finished"] = frame["outcome"] == "ok"
    frame["cell"] = [
        " · ".join(map(_size, sizes)) for sizes in zip(rows["dim"], rows["depth"], rows["order"], strict=True)
    ]
    return frame


def _std_interval(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    std = frame["grad_std"]
    freedom = (frame["draws"] - 1).where(lambda n: n >= 1)
    low = std * np.sqrt(freedom / chi2.ppf(0.975, freedom))
    high = std * np.sqrt(freedom / chi2.ppf(0.025, freedom))
    if "grad_std_low" in frame:
        low = pd.to_numeric(frame["grad_std_low"], errors="coerce").fillna(low)
        high = pd.to_numeric(frame["grad_std_high"], errors="coerce").fillna(high)
    return low.fillna(std), high.fillna(std)


def _size(value: float) -> str:
    return "–" if value != value else f"{value:g}"


def _labels(rows: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Option text, label and series of each row. An option is told where it varies among the estimator's rows."""
    seen: dict[tuple[str | None, str], set[str]] = defaultdict(set)
    for name, options in zip(rows["estimator"], rows["options"], strict=True):
        for option, value in options.items():
            seen[name, option].add(json.dumps(value, default=str))
    texts, labels, series = [], [], []
    for name, options in zip(rows["estimator"], rows["options"], strict=True):
        told = {option: value for option, value in options.items() if len(seen[name, option]) > 1}
        swept = {"probes", "samples", *_steps(name)}
        text = ", ".join(f"{_symbol(option)}={_short(value)}" for option, value in told.items())
        fixed = ", ".join(f"{_symbol(option)}={_short(value)}" for option, value in told.items() if option not in swept)
        texts.append(text)
        labels.append(f"{name} ({text})" if text else str(name))
        series.append(f"{name} ({fixed})" if fixed else str(name))
    return texts, labels, series


def _symbol(option: str) -> str:
    return {"probes": "M", "eps": "ε", "sigma": "σ"}.get(option, option)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _steps(name: str) -> set[str]:
    try:
        step = estimators.get(name).step
    except KeyError:
        step = None
    return {"eps", "sigma"} | ({step} if step else set())


def _declared_bias(name: str) -> str:
    try:
        return estimators.get(name).bias
    except KeyError:
        return "unknown"

"""The one frame under every figure: a row per measured point, with labels and an interval for every error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from bench.recommend.accuracy import declared_bias
from bench.recommend.labels import declared_step, labels

ROUNDING = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}


def points(rows: pd.DataFrame) -> pd.DataFrame:
    """Add to the rows what figures draw.

    Columns added:
        label: the estimator, with those of its options that vary in these rows.
        option_text: those options alone; a figure writes them beside a mark.
        series: the label without probes and steps: points of one series are joined by a line.
        declared_bias: what the registry says of the bias against the exact gradient.
        bias_low_sure, bias_sure: the interval of the bias that a verdict counts on (see `bench.recommend.accuracy`).
        std_low, std_high: 95 % interval of `grad_std`; from χ² with draws − 1 degrees of freedom (all noise in one
            direction, the widest case) unless the row brings `grad_std_low` and `grad_std_high`.
        rmse, rmse_low, rmse_high: √(bias² + std²) at each end.
        error_floor: rounding of the row's dtype; errors of exactly 0 are drawn there.
        step_value: the value of the option that a bias vanishes with (eps, sigma), where it is a number.
        quality, quality_reason: the timing's own mark (stable or noisy) and why, None where the row has none.
        prediction_withdrawn: whether a predicted peak was put aside because the measurement contradicts it.
        convergence: (k, error of the mean of the first k draws), where the row kept them.
        ok: whether the outcome is ok.
        cell: the size, "D · depth · T".
    """
    frame = rows.copy()
    told = labels(zip(rows["estimator"], rows["options"], strict=True))
    frame["label"], frame["option_text"], frame["series"] = zip(*told, strict=True) if told else ([], [], [])
    frame["declared_bias"] = [declared_bias(*pair) for pair in zip(rows["estimator"], rows["target"], strict=True)]
    frame["bias_low_sure"] = frame["grad_bias_low"].fillna(frame["grad_bias"])
    high = frame["grad_bias_high"].fillna(frame["grad_bias"])
    frame["bias_sure"] = np.where(frame["declared_bias"] == "none", frame["bias_low_sure"], high)
    frame["std_low"], frame["std_high"] = _std_interval(frame)
    frame["rmse"] = frame["grad_rmse"].fillna(np.hypot(frame["grad_bias"], frame["grad_std"]))
    frame["rmse_low"] = np.fmin(np.hypot(frame["grad_bias_low"], frame["std_low"]), frame["rmse"])
    frame["rmse_high"] = np.fmax(np.hypot(frame["grad_bias_high"], frame["std_high"]), frame["rmse"])
    frame["error_floor"] = frame["dtype"].map(ROUNDING).fillna(2.0**-52)
    frame["step_value"] = [
        _step(name, options) for name, options in zip(rows["estimator"], rows["options"], strict=True)
    ]
    extra = [value if isinstance(value, Mapping) else {} for value in frame.get("extra", [None] * len(frame))]
    for name in ("quality", "quality_reason"):
        frame[name] = pd.Series([_words(facts.get(name)) for facts in extra], index=frame.index, dtype=object)
    frame["prediction_withdrawn"] = [(_words(f.get("no_prediction")) or "").startswith("withdrawn") for f in extra]
    kept = [_pairs(facts.get("grad_convergence")) for facts in extra]
    frame["convergence"] = pd.Series(kept, index=frame.index, dtype=object)
    frame["ok"] = frame["outcome"] == "ok"
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


def _step(name: str, options: Mapping[str, Any]) -> float:
    for option in (*declared_step(name), "eps", "sigma"):
        value = options.get(option)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return math.nan


def _pairs(value: Any) -> list[tuple[float, float]] | None:
    """Nothing in a row is trusted: pairs of finite numbers, or None."""
    try:
        pairs = [(float(k), float(error)) for k, error in value]
    except (TypeError, ValueError):
        return None
    return pairs if all(math.isfinite(number) for pair in pairs for number in pair) else None


def _words(value: Any) -> str | None:
    return value[:400] if isinstance(value, str) else None


def _size(value: float) -> str:
    return "–" if value != value else f"{value:g}"

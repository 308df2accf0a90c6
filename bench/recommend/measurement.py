"""What the recommendation reads from a row."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.recommend.accuracy import declared_bias, sure_bias
from bench.recommend.labels import labels

SETTING = (
    "model", "data", "width", "activation", "residual", "stage", "batch", "dtype", "device", "threads", "machine",
)  # fmt: skip
"""What is held while dimension, depth and order vary."""


@dataclass(frozen=True)
class Measurement:
    """One row: where, how dear, how wrong.

    Times in seconds, memory in bytes, errors relative to the exact gradient; `work` is what one step does.
    """

    quantity: str
    estimator: str
    options: Mapping[str, Any]
    label: str
    setting: tuple[str, ...]
    dim: int
    depth: int
    order: int
    time: float
    time_low: float
    time_high: float
    memory: float
    work: tuple[float, ...]
    std: float
    bias_low: float
    bias_high: float
    outcome: str
    reason: str

    @property
    def width(self) -> float:
        """Units in a hidden layer; NaN where the model has none."""
        return _number(self.setting[SETTING.index("width")])

    @property
    def size(self) -> tuple[int, int, int]:
        """(D, depth, order)."""
        return self.dim, self.depth, self.order

    @property
    def measured(self) -> bool:
        """Whether it ended ok and has both a time and a bias."""
        return self.outcome == "ok" and self.time > 0 and not math.isnan(self.bias_high)


def measurements(rows: Iterable[Mapping[str, Any]]) -> list[Measurement]:
    """The rows that have a size."""
    kept = [row for row in rows if all(_number(row.get(axis)) > 0 for axis in ("dim", "depth"))]
    options = [_options(row.get("options")) for row in kept]
    told = labels((str(row.get("estimator")), own) for row, own in zip(kept, options, strict=True))
    return [
        _measurement(row, own, str(row.get("label") or label.text))
        for row, own, label in zip(kept, options, told, strict=True)
    ]


def _measurement(row: Mapping[str, Any], options: Mapping[str, Any], label: str) -> Measurement:
    time = _number(row.get("time_step_s"))
    bias = _number(row.get("grad_bias"))
    low, high = (_or(_number(row.get(end)), bias) for end in ("grad_bias_low", "grad_bias_high"))
    name = str(row.get("estimator"))
    low, high = sure_bias(low, high, declared_bias(name, row.get("target")))
    return Measurement(
        quantity=str(row.get("quantity")),
        estimator=name,
        options=options,
        label=label,
        setting=tuple(str(row.get(column)) for column in SETTING),
        dim=int(row["dim"]),
        depth=int(row["depth"]),
        order=int(_or(_number(row.get("order")), 0)),
        time=time,
        time_low=_or(_number(row.get("time_step_low_s")), time),
        time_high=_or(_number(row.get("time_step_high_s")), time),
        memory=_number(row.get("peak_step_bytes")),
        work=_work(row),
        std=_or(_number(row.get("grad_std")), 0.0),
        bias_low=low,
        bias_high=high,
        outcome=str(row.get("outcome")),
        reason=str(row.get("reason") or ""),
    )


def _work(row: Mapping[str, Any]) -> tuple[float, ...]:
    """FLOPs, bytes moved and operations launched of one step; empty where the row does not know all of them."""
    extra = row.get("extra")
    done = extra.get("step_work") if isinstance(extra, Mapping) else None
    if not isinstance(done, Mapping):
        return ()
    work = tuple(_number(done.get(kind)) for kind in ("flops", "moved_bytes", "operations"))
    return work if all(amount > 0 for amount in work) else ()


def _number(value: Any) -> float:
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError):
        return math.nan


def _or(value: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else value


def _options(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}

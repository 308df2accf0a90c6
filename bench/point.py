"""A point: one estimator, with its options, on one problem, at one order, dtype and device. Plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class ProblemSpec:
    """What defines a problem: a model family at a size and a stage, on a data set, from a seed."""

    model: str = "mlp"
    data: str = "digits"
    dim: int = 64
    depth: int = 2
    width: int = 128
    activation: str = "softplus"
    residual: bool = False
    stage: str = "init"
    batch: int = 128
    seed: int = 0


@dataclass(frozen=True)
class Point:
    """What one row is measured at. `options` holds all of the estimator's options, defaults included."""

    estimator: str
    quantity: str
    problem: ProblemSpec
    order: int = 2
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    dtype: str = "float32"
    device: str = "cpu"
    threads: int = 1
    draws: int = 64
    target: str = "exact"

    @property
    def label(self) -> str:
        """A short name for progress bars and messages."""
        options = ", ".join(f"{k}={v}" for k, v in self.options.items() if v is not None)
        p = self.problem
        return f"{self.estimator}({options}) {p.model} D={p.dim} depth={p.depth} order={self.order}"

    def identity(self) -> dict[str, Any]:
        """The row's identity columns."""
        return {
            "quantity": self.quantity,
            "estimator": self.estimator,
            "options": dict(self.options),
            "target": self.target,
            **{k: v for k, v in plain(self.problem).items() if k != "seed"},
            "order": self.order,
            "probes": self.options.get("probes"),
            "dtype": self.dtype,
            "device": self.device,
            "threads": self.threads,
            "seed": self.problem.seed,
        }

    def to_json(self) -> str:
        """One canonical line: equal points give equal lines."""
        return json.dumps({**asdict_plain(self)}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Point:
        """The point that `to_json` wrote."""
        values = json.loads(line)
        values["problem"] = ProblemSpec(**values["problem"])
        values["options"] = MappingProxyType(values["options"])
        return cls(**values)


def asdict_plain(point: Point) -> dict[str, Any]:
    """The point as nested plain dictionaries."""
    return {**plain(point), "problem": plain(point.problem), "options": dict(point.options)}


def plain(flat: Point | ProblemSpec) -> dict[str, Any]:
    """The fields by name, without the copies that `dataclasses.asdict` makes."""
    return {name: getattr(flat, name) for name in flat.__dataclass_fields__}

"""The axes of a grid: their names, what their values may be, and their defaults."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bench.point import Point, ProblemSpec

BLOCKS = 16  # accuracy rests on 16 to 32 block sums of equal size

DTYPES = ("float32", "float64", "bfloat16")
STAGES = ("init", "trained")


def is_whole(value: Any, least: int) -> bool:
    """Whether it is a whole number, not a truth value, and at least ``least``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


@dataclass(frozen=True)
class Axis:
    """One axis: whether a value is allowed, what is allowed in words, and the value where the grid leaves it out."""

    allows: Callable[[Any], bool]
    allowed: str
    default: Any


def _count(default: Any) -> Axis:
    return Axis(lambda value: is_whole(value, 1), "a whole number >= 1", default)


def _word(default: Any, words: tuple[str, ...] | None = None) -> Axis:
    if words is None:
        return Axis(lambda value: isinstance(value, str), "a name", default)
    return Axis(lambda value: value in words, "one of " + ", ".join(words), default)


_SPEC = {field.name: field.default for field in dataclasses.fields(ProblemSpec)}
_POINT = {field.name: field.default for field in dataclasses.fields(Point)}

# In the order in which a sweep walks them: outermost first, so that the points of one problem stand together.
AXES: Mapping[str, Axis] = MappingProxyType(
    {
        "model": _word(_SPEC["model"]),
        "data": _word(_SPEC["data"]),
        "activation": _word(_SPEC["activation"]),
        "residual": Axis(lambda value: isinstance(value, bool), "true or false", _SPEC["residual"]),
        "stage": _word(_SPEC["stage"], STAGES),
        "width": _count(_SPEC["width"]),
        "batch": _count(_SPEC["batch"]),
        "seed": Axis(lambda value: is_whole(value, 0), "a whole number >= 0", _SPEC["seed"]),
        "dim": _count(_SPEC["dim"]),
        "depth": _count(_SPEC["depth"]),
        "dtype": _word(_POINT["dtype"], DTYPES),
        "device": Axis(
            lambda value: isinstance(value, str) and re.fullmatch(r"cpu|cuda(:\d+)?", value) is not None,
            "cpu, cuda or cuda:N",
            _POINT["device"],
        ),
        "threads": _count(_POINT["threads"]),
        "order": Axis(lambda value: is_whole(value, 0), "a whole number >= 1 (0 for log_likelihood)", None),
        "probes": _count(None),  # an option of estimators, swept for all that have it
    }
)
DRAWS = Axis(lambda value: is_whole(value, 1) and value % BLOCKS == 0, f"a multiple of {BLOCKS}", _POINT["draws"])

PROBLEM_AXES = tuple(_SPEC)
POINT_AXES = ("dtype", "device", "threads")

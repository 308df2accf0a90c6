"""A device described in words: how much it holds, how fast it multiplies, moves and launches.

.. code-block:: toml

    name = "H100"
    memory = "80GiB"
    matmul = { float32 = "60TFLOP/s", bfloat16 = "700TFLOP/s" }   # or one rate for every dtype
    bandwidth = "3.35TB/s"
    launch = "6us"                                                # for one operation; 5us if left out
    kind = "cuda"                                                 # or "cpu"; cuda if left out
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import sizes
from bench.forecast.step_time import StepTime
from bench.meters.prediction import Prediction

DTYPES = ("float32", "float64", "bfloat16")
KINDS = ("cuda", "cpu")
DEFAULT_LAUNCH_S = 5e-6
ROOFLINE_SPREAD = math.log(2) / 1.96
"""A factor of two either way, an assumption: nothing was measured on the device."""

_AMOUNTS = {
    "memory": (sizes.BYTES, "80GiB"),
    "matmul": (sizes.FLOPS, "60TFLOP/s"),
    "bandwidth": (sizes.BYTES_A_SECOND, "3TB/s"),
    "launch": (sizes.SECONDS, "5us"),
}
NEEDED = ("memory", "matmul", "bandwidth")
KEYS = ("name", *_AMOUNTS, "kind")


class DeviceError(ValueError):
    """A description that does not describe a device; one line."""


@dataclass(frozen=True)
class Device:
    """What points would run on.

    Attributes:
        name: for the heading.
        memory_bytes: what it holds.
        flops_per_s: rate of matrix products, by dtype.
        bytes_per_s: of its memory.
        launch_s: launching one operation.
        kind: on ``cuda`` launching runs ahead of computing, and the allocator rounds up; on ``cpu`` neither.
    """

    name: str
    memory_bytes: float
    flops_per_s: Mapping[str, float]
    bytes_per_s: float
    launch_s: float = DEFAULT_LAUNCH_S
    kind: str = "cuda"

    def step_time(self, work: Prediction, dtype: str) -> StepTime:
        """Operations at the roofline, launched one by one: max(launching, computing) on a GPU, their sum on a CPU.

        Computing is FLOPs over the matmul rate and bytes over the bandwidth, added: few operations of a step do both.

        Raises:
            DeviceError: the rate of this dtype is not given.
        """
        if dtype not in self.flops_per_s:
            given = ", ".join(self.flops_per_s)
            raise DeviceError(f"device {self.name}: matmul has no rate for {dtype}; it has {given}")
        launching = work.operations * self.launch_s
        computing = work.flops / self.flops_per_s[dtype] + work.moved_bytes / self.bytes_per_s
        seconds = max(launching, computing) if self.kind == "cuda" else launching + computing
        return StepTime(seconds, ROOFLINE_SPREAD, f"the description of {self.name}")


def load(path: str | Path) -> Device:
    """Read a description.

    Raises:
        DeviceError: there is none, or it is wrong: where, what was given, what is allowed.
    """
    try:
        facts = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DeviceError(f"{path}: not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceError(f"device file {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return describe({"name": Path(path).stem, **facts}, str(path))


def describe(facts: Mapping[str, Any], where: str) -> Device:
    """The device that these facts describe, as in a file.

    Raises:
        DeviceError: an unknown key, a missing one, or a value that is no such amount.
    """
    from estimators.arguments import close_matches

    for key in facts:
        if key not in KEYS:
            raise DeviceError(f"{where}: unknown key {key!r}" + close_matches(str(key), KEYS))
    if missing := [key for key in NEEDED if key not in facts]:
        raise DeviceError(f"{where}: no {' and no '.join(missing)}; a device needs {', '.join(NEEDED)}")
    kind = facts.get("kind", "cuda")
    if kind not in KINDS:
        raise DeviceError(f"{where}: kind has to be one of {', '.join(KINDS)}; got {kind!r}")
    matmul = facts["matmul"]
    by_dtype = matmul if isinstance(matmul, Mapping) else dict.fromkeys(DTYPES, matmul)
    for dtype in by_dtype:
        if dtype not in DTYPES:
            raise DeviceError(f"{where}: matmul names unknown dtype {dtype!r}" + close_matches(str(dtype), DTYPES))
    return Device(
        name=str(facts.get("name", "described device")),
        memory_bytes=_amount(where, "memory", facts["memory"]),
        flops_per_s={dtype: _amount(where, "matmul", rate) for dtype, rate in by_dtype.items()},
        bytes_per_s=_amount(where, "bandwidth", facts["bandwidth"]),
        launch_s=_amount(where, "launch", facts["launch"]) if "launch" in facts else DEFAULT_LAUNCH_S,
        kind=kind,
    )


def _amount(where: str, key: str, text: Any) -> float:
    units, example = _AMOUNTS[key]
    try:
        return sizes.read(text, units, example)
    except ValueError as error:
        raise DeviceError(f"{where}: {key} {error}") from None

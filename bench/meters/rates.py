"""What this machine can do: its matmul rate, and what plain steps of a few networks take, for a model of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from bench.meters.clock import Clock
from bench.meters.prediction import Tracking

MATMUL_SIZE = 768
STEPS = ((4, 40, 4), (32, 8, 32), (128, 4, 64), (128, 8, 64), (128, 8, 256), (512, 3, 128))  # width, depth, batch
BLOCK_S = 0.05


@dataclass(frozen=True)
class Rates:
    """What a machine can do with a dtype, a device and a number of threads.

    Attributes:
        flops_per_s: in large square matrix products.
        s_per_flop: seconds a floating-point operation adds to a step, fitted to real steps.
        s_per_byte: seconds a byte read or written adds.
        s_per_operation: seconds that launching an operation adds.
    """

    flops_per_s: float
    s_per_flop: float
    s_per_byte: float
    s_per_operation: float

    @classmethod
    def fitted(cls, flops_per_s: float, steps: Sequence[Sequence[float]]) -> Rates:
        """Fit rates ≥ 0 to steps (FLOPs, bytes, operations, seconds), each by its relative error."""
        import numpy as np
        from scipy.optimize import nnls  # here, since workers measure and never fit

        table = np.asarray(steps, dtype=float)
        work, seconds = table[:, :3], table[:, 3]
        scale = work.max(0)  # so that the three columns have one size
        rates, _ = nnls(work / scale / seconds[:, None], np.ones(len(table)))
        return cls(flops_per_s, *(float(rate) for rate in rates / scale))


def measure(dtype: torch.dtype, device: str) -> dict[str, Any]:
    """The rate of square matrix products, FLOP/s, and a table of steps: FLOPs, bytes, operations, seconds.

    The steps are second-order ones, ∇θ of ½‖∇f‖² on tanh networks from tiny to wide, so that launching, moving and
    multiplying each dominate somewhere.
    """
    a = torch.ones(MATMUL_SIZE, MATMUL_SIZE, dtype=dtype, device=device)
    return {
        "flops_per_s": 2 * MATMUL_SIZE**3 / _best_s(Clock(lambda: a @ a, device)),
        "steps": [_step(width, depth, batch, dtype, device) for width, depth, batch in STEPS],
    }


def _step(width: int, depth: int, batch: int, dtype: torch.dtype, device: str) -> list[float]:
    layers = [layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.Tanh())]
    net = nn.Sequential(*layers, nn.Linear(width, 1)).to(device, dtype)
    x = torch.ones(batch, width, dtype=dtype, device=device, requires_grad=True)
    parameters = tuple(net.parameters())

    def step() -> Any:
        (s,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
        return torch.autograd.grad(s.square().sum(), parameters, allow_unused=True)

    with Tracking(1) as tracking:
        step()
    return [tracking.flops, tracking.moved, tracking.operations, _best_s(Clock(step, device))]


def _best_s(clock: Clock) -> float:
    clock.warm_up(BLOCK_S)
    return min(clock.block(BLOCK_S))

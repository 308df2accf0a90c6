"""What this machine can do: its matmul rate, its bandwidth in pointwise operations, and the cost of launching one."""

from __future__ import annotations

import torch
from torch import nn

from bench.meters.clock import Clock

MATMUL_SIZE = 768
POINTWISE_ENTRIES = 2**18
SMALL_LAYERS = 40
BLOCK_S = 0.1


def measure(dtype: torch.dtype, device: str) -> dict[str, float]:
    """FLOP/s of square matrix products, bytes/s of a pointwise function, and seconds an operation on tiny tensors.

    The last is taken from the step of a narrow deep network, autograd and all, as estimators launch theirs.
    """
    a = torch.ones(MATMUL_SIZE, MATMUL_SIZE, dtype=dtype, device=device)
    matmul_s = _best_s(Clock(lambda: a @ a, device))
    b = torch.ones(POINTWISE_ENTRIES, dtype=dtype, device=device)
    pointwise_s = _best_s(Clock(lambda: torch.tanh(b), device))
    layers = [layer for _ in range(SMALL_LAYERS) for layer in (nn.Linear(4, 4), nn.Tanh())]
    net = nn.Sequential(*layers).to(device, dtype)
    x, parameters = torch.ones(4, 4, dtype=dtype, device=device), tuple(net.parameters())
    small_s = _best_s(Clock(lambda: torch.autograd.grad(net(x).sum(), parameters), device))
    return {
        "flops_per_s": 2 * MATMUL_SIZE**3 / matmul_s,
        "bytes_per_s": 2 * b.numel() * b.element_size() / pointwise_s,
        "launch_s": small_s / (SMALL_LAYERS * 7),  # addmm, tanh; and backward: tanh, two products, a sum, a transpose
    }


def _best_s(clock: Clock) -> float:
    clock.warm_up(BLOCK_S)
    return min(clock.block(BLOCK_S))

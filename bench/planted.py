"""A plugin: an estimator that waits before it does what another one does, to see whether slowdowns are seen."""

from __future__ import annotations

import time

import torch
from torch import Tensor

import estimators


@estimators.register("planted", quantity="laplacian", orders=(2,), tags=("test",))
def planted(
    f, x: Tensor, *, order: int, generator: torch.Generator, of: str = "hutchinson", wait_s: float = 0.0
) -> Tensor:
    """A known slowdown: busy for a time, then another estimator of the Laplacian.

    L(x) = Δf(x).

    Cost: that of the other estimator, and ``wait_s`` seconds.

    Args:
        f: the function, (B, D) to (B,).
        x: the points, (B, D).
        order: 2.
        generator: handed on.
        of: the other estimator.
        wait_s: how long it is busy before, seconds.

    Returns:
        (B,).
    """
    until = time.perf_counter() + wait_s
    while time.perf_counter() < until:
        pass
    return estimators.get(of)(f, x, order=order, generator=generator)

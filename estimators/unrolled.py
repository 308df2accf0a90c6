"""Score matching through applications of an equilibrium layer after a z held constant: phantom and unrolled."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from estimators.implicit import half_square_and_laplacian
from estimators.taylor import along
from estimators.taylor.coordinates import over_coordinates


def continued(model: Any, z: Tensor, steps: int, damping: float = 1.0) -> Callable[[Any], Any]:
    """The log-density of ``steps`` applications of the layer from z, itself held constant, and the head on top.

    Args:
        model: ``layer(z, x) -> z`` and ``head(z, x) -> (B,)``.
        z: where to start, of the batch's points.
        steps: K.
        damping: λ of z ← λ layer(z, x) + (1 − λ) z.
    """

    def log_density(x: Any) -> Any:
        state: Any = z
        for _ in range(steps):
            image = model.layer(state, x)
            state = image if damping == 1.0 else damping * image + (1.0 - damping) * state
        return model.head(state, x)

    return log_density


def over_all_coordinates(
    model: Any, z: Tensor, x: Tensor, *, steps: int, damping: float = 1.0, chunk: int | None = None
) -> Tensor:
    """½‖∇f‖² + Δf of f = `continued`, (B,), by D + 2 vectors in one pass, or a ``chunk`` of coordinates at a time."""
    passes = over_coordinates(continued(model, z, steps, damping), x, chunk=chunk, compress=steps == 1)
    return functools.reduce(torch.add, map(half_square_and_laplacian, passes))


def over_directions(model: Any, z: Tensor, x: Tensor, v: Tensor, *, steps: int, damping: float = 1.0) -> Tensor:
    """(1/M) Σ_m ½(v_m·∇f)² + v_mᵀ∇²f v_m of f = `continued`, (B,), for directions v: (M, B, D)."""
    return half_square_and_laplacian(along(continued(model, z, steps, damping), x, v, 2, collapsed=True)) / len(v)

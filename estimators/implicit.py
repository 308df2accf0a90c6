"""Derivatives of a fixed point z*(x) = layer(z*, x): all D coordinates of x pushed through layer and head at once.

With J = ∂layer/∂z and u_i = ∂z/∂x_i, a pass along (u_i, e_i) gives J u_i + ∂layer/∂x_i at order one, and at order two
the sum over i of the second derivatives of the layer along (u_i, e_i), which no single one is needed of:
u_i = (I − J)⁻¹ ∂layer/∂x_i and Σ_i ∂²z/∂x_i² = (I − J)⁻¹ Σ_i D²layer[(u_i, e_i)²].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from estimators.taylor.coordinates import Coordinates, Source
from estimators.taylor.frame import Frame
from estimators.taylor.propagate import as_series
from estimators.taylor.series import Series

Step = Callable[[Any, Any], Any]


def first_order(layer: Step, z: Tensor, x: Tensor, first: Tensor | None) -> Tensor:
    """J u_i + ∂layer/∂x_i for every coordinate, (D, *z.shape); with None for u_i = 0."""
    frame = Frame(1, x.shape[1])
    return _pushed(layer, z, x, frame, first).coefficient(1)


def curvature(layer: Step, z: Tensor, x: Tensor, first: Tensor) -> Tensor:
    """Σ_i D²layer[(u_i, e_i), (u_i, e_i)], of z's shape."""
    frame = Frame(2, x.shape[1], collapsed=True)
    return 2 * _pushed(layer, z, x, frame, first).coefficient(2)[0]


def along_z(layer: Step, z: Tensor, x: Tensor, direction: Tensor) -> Tensor:
    """J w, of z's shape."""
    frame = Frame(1)
    return as_series(layer(Series(torch.stack([z, direction]), frame, (True, True)), x), frame).coefficient(1)[0]


def objective(head: Step, z: Tensor, x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """½‖s‖² + Δf of f(x) = head(z(x), x), (B,), from ∂z/∂x_i and Σ_i ∂²z/∂x_i²."""
    return half_square_and_laplacian(_pushed(head, z, x, Frame(2, x.shape[1], collapsed=True), first, second / 2))


def half_square_and_laplacian(series: Series) -> Tensor:
    """½ Σ_i c₁ᵢ² + 2 c₂, (B,), of a collapsed series of order 2: ½‖∇f‖² + Δf where it runs along every coordinate."""
    return 0.5 * series.coefficient(1).square().sum(0) + 2 * series.coefficient(2)[0]


class Inverse:
    """(I − J)⁻¹ at one z, held constant: one LU factorisation for each row."""

    def __init__(self, layer: Step, z: Tensor, x: Tensor) -> None:
        size, frame = z[0].numel(), Frame(1, z[0].numel())
        flat = Coordinates(z.flatten(1), None, frame, Source(size, None, slice(None), compress=False))
        image = as_series(layer(flat if z.dim() == 2 else flat.view(z.shape), x), frame)
        jacobian = image.coefficient(1).flatten(2).permute(1, 2, 0)  # (B, W, W)
        identity = torch.eye(size, dtype=z.dtype, device=z.device)
        self.factors = torch.linalg.lu_factor(identity - jacobian)

    def __call__(self, right: Tensor) -> Tensor:
        """Of any number of right-hand sides, (…, *z.shape), differentiable in them."""
        columns = right.reshape(-1, *self.factors[1].shape).permute(1, 2, 0)  # (B, W, …)
        return torch.linalg.lu_solve(*self.factors, columns).permute(2, 0, 1).reshape(right.shape)


def _pushed(
    function: Step, z: Tensor, x: Tensor, frame: Frame, first: Tensor | None, top: Tensor | None = None
) -> Series:
    points = Coordinates(x, None, frame, Source(x.shape[1], None, slice(None), compress=False))
    state: Tensor | Series = z
    if first is not None:
        parts = [z.unsqueeze(0), first] + ([] if top is None else [top.unsqueeze(0)])
        state = Series(torch.cat(parts), frame, (True, True, top is not None)[: frame.order + 1])
    return as_series(function(state, points), frame)

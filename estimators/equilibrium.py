"""The fixed point of an equilibrium layer, z* = layer(z*, x), found without a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from estimators.kinks import refuse_kinks

SOLVERS = ("picard", "anderson")
MEMORY = 5  # differences that Anderson mixing combines
UNITS_OF_ROUNDING = 16.0


@dataclass(frozen=True)
class FixedPoint:
    """Where the solver ended.

    Attributes:
        z: without history.
        applications: how often the layer was applied.
        residual: the largest over rows of ‖layer(z, x) − z‖ / ‖layer(z, x)‖ at the last application.
    """

    z: Tensor
    applications: int
    residual: float


def solve(
    model: Any, x: Tensor, *, solver: str = "picard", tolerance: float | None = None, iterations: int = 500
) -> FixedPoint:
    """The fixed point of the layer at each row of x.

    Picard: z ← layer(z, x), which shrinks the error by the contraction factor ρ a step. Anderson: the combination of
    the last six iterates whose residual is least, row by row. It needs fewer applications where ∂layer/∂z has real
    eigenvalues near one, and none fewer where they lie on a circle; each costs some ten times Picard's at width 128.

    Args:
        model: ``initial(x) -> z`` and ``layer(z, x) -> z``, rows apart.
        x: the points, (B, D).
        solver: one of ``SOLVERS``.
        tolerance: the relative residual to reach; None for sixteen units of rounding; 0 for no look at the residual:
            all ``iterations`` are made, and no control flow depends on data.
        iterations: how many applications of the layer there may be.

    Raises:
        ArithmeticError: the residual is larger after all iterations.
    """
    wanted = UNITS_OF_ROUNDING * torch.finfo(x.dtype).eps if tolerance is None else tolerance
    x = x.detach()
    with torch.no_grad():
        z = model.initial(x)
        mixing = _Anderson() if solver == "anderson" else None
        residual = float("nan")
        for step in range(1, iterations + 1):
            image = model.layer(z, x)
            if wanted > 0:
                residual = _relative_residual(z, image)
                if residual <= wanted:
                    return FixedPoint(image, step, residual)
            z = image if mixing is None else mixing.next(z, image)
    if wanted > 0:
        raise ArithmeticError(
            f"no fixed point after {iterations} applications of the layer by {solver}: relative residual "
            f"{residual:.1e}, wanted {wanted:.1e}; is the layer a contraction in z?"
        )
    return FixedPoint(z, iterations, residual)


def smooth_fixed_point(model: Any, x: Tensor, *, solver: str, tolerance: float | None, iterations: int) -> Tensor:
    """The fixed point at each row of x, without history, of a layer that can be differentiated twice there.

    Args:
        model: ``initial(x) -> z`` and ``layer(z, x) -> z``, rows apart.
        x: the points, (B, D).
        solver: as for `solve`.
        tolerance: as for `solve`.
        iterations: as for `solve`.

    Raises:
        ArithmeticError: the fixed point is not reached.
        NotImplementedError: the layer has kinks; the message names them.
    """
    z = solve(model, x, solver=solver, tolerance=tolerance, iterations=iterations).z
    refuse_kinks(model, x, z)
    return z


class _Anderson:
    """Anderson mixing, type II: z ← F(z) − ΔF γ with γ = argmin ‖g − ΔG γ‖, g = F(z) − z, row by row."""

    def __init__(self) -> None:
        self.images: list[Tensor] = []
        self.residuals: list[Tensor] = []

    def next(self, z: Tensor, image: Tensor) -> Tensor:
        f = image.flatten(1)
        g = f - z.flatten(1)
        self.images, self.residuals = [*self.images[-MEMORY:], f], [*self.residuals[-MEMORY:], g]
        if len(self.images) == 1:
            return image
        df, dg = (torch.stack(h, -1).diff(dim=-1) for h in (self.images, self.residuals))  # (B, W, m)
        size = torch.linalg.vector_norm(dg, dim=1, keepdim=True).clamp_min(torch.finfo(f.dtype).tiny)
        df, dg = df / size, dg / size
        gram = dg.mT @ dg + 10 * torch.finfo(f.dtype).eps * torch.eye(dg.shape[-1], dtype=f.dtype, device=f.device)
        gamma = torch.linalg.solve(gram, dg.mT @ g.unsqueeze(-1))
        return (f - (df @ gamma).squeeze(-1)).view_as(image)


def _relative_residual(z: Tensor, image: Tensor) -> float:
    """The largest ‖image − z‖/‖image‖ over rows."""
    norm = torch.linalg.vector_norm(image.flatten(1), dim=1).clamp_min(torch.finfo(z.dtype).tiny)
    return float((torch.linalg.vector_norm((image - z).flatten(1), dim=1) / norm).max())

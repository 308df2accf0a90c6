"""The fixed point of an equilibrium layer, z* = layer(z*, x), found without a graph; and what may be differentiated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SOLVERS = ("picard", "anderson")
MEMORY = 5  # differences that Anderson mixing combines
UNITS_OF_ROUNDING = 16.0

_KINKED = frozenset(
    "relu leakyrelu prelu preluker rrelu rreluwithnoise threshold elu hardtanh hardswish hardsigmoid hardshrink softshrink "
    "abs clamp clampmin clampmax maximum minimum max min amax amin sign round floor ceil maxpool1dwithindices "
    "maxpool2dwithindices maxpool3dwithindices".split()
)


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

    Picard: z ← layer(z, x), which shrinks the error by the contraction factor ρ a step. Anderson: the combination of the
    last six iterates whose residual is least, row by row. It needs fewer applications where ∂layer/∂z has real
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


def refuse_kinks(model: Any, x: Tensor, z: Tensor) -> None:
    """Refuse a layer whose operations have kinks: its fixed point has no second derivative in x there.

    Found on the graph of one application, at the first row.

    Raises:
        NotImplementedError: naming the operations.
    """
    with torch.enable_grad():
        y = model.layer(z[:1].detach().requires_grad_(True), x[:1].detach().requires_grad_(True))
    found: set[str] = set()
    seen: set[Any] = set()
    waiting = [y.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        operation = node.name().removesuffix("0").removesuffix("1").removesuffix("Backward")
        if operation.lower() in _KINKED:
            found.add(operation)
        waiting.extend(parent for parent, _ in node.next_functions)
    if found:
        raise NotImplementedError(
            f"the equilibrium layer has kinks ({', '.join(sorted(found))}): the fixed point has no second derivative "
            "there, and a trace by differentiation misses what happens at them; use softplus, tanh, silu or gelu"
        )


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

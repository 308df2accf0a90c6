"""The layers of a density by additive couplings: couplings, a diagonal scale, and the logarithm of a standard normal.

Their markers (``skip``, ``jacobian``, ``pointwise``) are those of the protocol ``layers`` of ``estimators.protocols``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Coupling(nn.Module):
    """x, with block(x[source]) added to x[target]; the two slices do not overlap."""

    skip = True

    def __init__(self, block: nn.Sequential, source: slice, target: slice) -> None:
        super().__init__()
        self.block, self.source, self.target = block, source, target

    def forward(self, x: Tensor) -> Tensor:
        """(…, W) to (…, W)."""
        start, stop, _ = self.target.indices(x.shape[-1])
        moved = x[..., self.target] + self.block(x[..., self.source])
        return torch.cat([part for part in (x[..., :start], moved, x[..., stop:]) if part.shape[-1]], -1)

    def placed(self, t: Tensor, width: int, dim: int = -1) -> Tensor:
        """What is added to the entries ``target``, among zeros, along a dimension."""
        start, stop, _ = self.target.indices(width)
        return nn.functional.pad(t, (0, 0) * (-1 - dim) + (start, width - stop))


class DiagonalScale(nn.Module):
    """x times e^a, entry by entry."""

    def __init__(self, log_scale: Tensor) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(log_scale)

    @property
    def jacobian(self) -> Tensor:
        """Its diagonal, (W,)."""
        return self.log_scale.exp()

    def forward(self, x: Tensor) -> Tensor:
        """(…, W) to (…, W)."""
        return x * self.log_scale.exp()


class NegativeHalfSquare(nn.Module):
    """−½x², entry by entry: its total is the logarithm of a standard normal density, up to a constant."""

    pointwise = True

    def forward(self, x: Tensor) -> Tensor:
        """Pointwise."""
        return -0.5 * x.square()


class Total(nn.Module):
    """The sum of W entries."""

    jacobian: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("jacobian", torch.ones(1, width, dtype=torch.float64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(…, W) to (…, 1)."""
        return x.sum(-1, keepdim=True)

"""A skip connection."""

from __future__ import annotations

from torch import Tensor, nn


class Residual(nn.Module):
    """x + block(x)."""

    skip = True  # the layers protocol: estimators.protocols

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """(…, W) to (…, W)."""
        return x + self.block(x)

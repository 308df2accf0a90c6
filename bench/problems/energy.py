"""An energy made of layers, and a vector field made of layers."""

from __future__ import annotations

from torch import Tensor, nn


class LayeredEnergy(nn.Module):
    """log p(x) = layers(x), up to a constant, with one output."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        return self.layers(x).squeeze(-1)


class LayeredScore(nn.Module):
    """s(x) = layers(x), a vector field that need not be a gradient."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def score(self, x: Tensor) -> Tensor:
        """(B, D) to (B, D)."""
        return self.layers(x)

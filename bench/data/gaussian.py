"""Independent standard normal rows of any dimension."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.data.source import Source, register


def draw(dim: int, batch: int, generator: torch.Generator) -> Tensor:
    """Rows x ~ N(0, I), (batch, dim), float64."""
    return torch.randn(batch, dim, dtype=torch.float64, generator=generator)


register(Source("gaussian", draw=draw))

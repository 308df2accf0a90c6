"""Random weights, and the affine layers that hold them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Independent standard normal numbers, float64."""
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """An affine layer that holds the given weight (out, in) and bias (out,)."""
    layer = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], dtype=weight.dtype)
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer


def orthogonal(out: int, inputs: int, generator: torch.Generator) -> Tensor:
    """A random (out, in) matrix with orthonormal rows or columns, whichever are fewer."""
    gaussian = normal(generator, max(out, inputs), min(out, inputs))
    q, r = torch.linalg.qr(gaussian)
    q = q * torch.sign(torch.diagonal(r))
    return q if out >= inputs else q.T

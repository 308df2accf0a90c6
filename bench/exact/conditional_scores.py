"""Composite score matching in one reverse pass: every ∂s_d/∂x_d at once, through a leaf apart from the contexts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


def terms(model: Any, x: Tensor, v: Tensor) -> Iterator[Tensor]:
    """Σ_d ½s_d² + ∂s_d/∂x_d, (B,).

    With the contexts from x and the coordinates from a leaf x̃ = x, the Jacobian in x̃ is diagonal. Were the two one
    leaf, the pass would give Σ_d′ ∂s_d′/∂x_d: another, wrong objective.
    """
    leaf = x.clone().requires_grad_(True)
    s = model.conditional_score(model.context(x), leaf)
    (diagonal,) = torch.autograd.grad(s.sum(), leaf, create_graph=True)
    yield (0.5 * s.square() + diagonal).sum(-1)

"""Exact derivatives by reverse mode, one term of the sum at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor


def _grad(y: Tensor, x: Tensor) -> Tensor:
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True, materialize_grads=True)
    return g


def directional(model: Any, x: Tensor, v: Tensor, order: int) -> Iterator[Tensor]:
    """D^T f[v, …, v] by T nested reverse passes."""
    x = x.clone().requires_grad_(True)
    y = model.log_density(x)
    for _ in range(order):
        y = (_grad(y, x) * v).sum(-1)
    yield y


def laplacian(model: Any, x: Tensor, v: Tensor | None, order: int) -> Iterator[Tensor]:
    """Δf or Δ²f, one diagonal second derivative, or one pair of them, at a time."""
    x = x.clone().requires_grad_(True)
    first = _grad(model.log_density(x), x)
    for i in range(x.shape[1]):
        second = _grad(first[:, i], x)[:, i]
        if order == 2:
            yield second
            continue
        third = _grad(second, x)
        for j in range(x.shape[1]):
            yield _grad(third[:, j], x)[:, j]


def score_matching(model: Any, x: Tensor, v: Tensor | None, order: int) -> Iterator[Tensor]:
    """½‖s‖², then every ∂_i s_i."""
    x = x.clone().requires_grad_(True)
    s = model.score(x) if hasattr(model, "score") else _grad(model.log_density(x), x)
    yield 0.5 * s.square().sum(-1)
    for i in range(x.shape[1]):
        yield _grad(s[:, i], x)[:, i]


def log_likelihood(model: Any, x: Tensor, v: Tensor | None, order: int) -> Iterator[Tensor]:
    """−log p(x)."""
    yield -model.log_density(x)


def terms(model: Any, quantity: str, order: int) -> Callable[..., Iterator[Tensor]] | None:
    """The terms of a quantity, or None where this route does not serve."""
    has_density = hasattr(model, "log_density")
    serves = {
        "directional": has_density and order <= min(8, getattr(model, "largest_order", 8)),
        "laplacian": has_density and order in (2, 4),
        "score_matching": True,
        "log_likelihood": has_density,
    }
    if not serves[quantity]:
        return None
    function = globals()[quantity]
    return lambda model, x, v: function(model, x, v, order)

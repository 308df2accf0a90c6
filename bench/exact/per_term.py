"""Exact derivatives by reverse mode, a few terms of the sum at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

ROWS = 128


def _grad(y: Tensor, x: Tensor) -> Tensor:
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True, materialize_grads=True)
    return g


def _divergence(field: Callable[[Tensor], Tensor], x: Tensor) -> Iterator[Tensor]:
    """Every ∂_i field_i, (B,), as many coordinates at a time, on copies of the rows, as make a batch of ``ROWS``."""
    rows, dim = x.shape
    copies = max(1, ROWS // rows)
    for start in range(0, dim, copies):
        coordinates = torch.arange(start, min(start + copies, dim))
        index = coordinates.repeat_interleave(rows).unsqueeze(-1)
        points = x.repeat(len(coordinates), 1).requires_grad_(True)
        diagonal = _grad(field(points).gather(-1, index), points).gather(-1, index)
        yield diagonal.view(len(coordinates), rows).sum(0)


def directional(model: Any, x: Tensor, v: Tensor, order: int) -> Iterator[Tensor]:
    """D^T f[v, …, v] by T nested reverse passes."""
    x = x.clone().requires_grad_(True)
    y = model.log_density(x)
    for _ in range(order):
        y = (_grad(y, x) * v).sum(-1)
    yield y


def laplacian(model: Any, x: Tensor, v: Tensor, order: int) -> Iterator[Tensor]:
    """Δf, some diagonal second derivatives at a time, or Δ²f, one pair of them at a time."""
    if order == 2:
        yield from _divergence(lambda x: _grad(model.log_density(x), x), x)
        return
    x = x.clone().requires_grad_(True)
    first = _grad(model.log_density(x), x)
    for i in range(x.shape[1]):
        second = _grad(first[:, i], x)[:, i]
        third = _grad(second, x)
        for j in range(x.shape[1]):
            yield _grad(third[:, j], x)[:, j]


def score_matching(model: Any, x: Tensor, v: Tensor, order: int) -> Iterator[Tensor]:
    """½‖s‖², then every ∂_i s_i."""

    def score(x: Tensor) -> Tensor:
        return model.score(x) if hasattr(model, "score") else _grad(model.log_density(x), x)

    yield 0.5 * score(x.clone().requires_grad_(True)).square().sum(-1)
    yield from _divergence(score, x)


def log_likelihood(model: Any, x: Tensor, v: Tensor, order: int) -> Iterator[Tensor]:
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

"""Exact derivatives by forward mode: dual numbers nested in each other, or over one reverse pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor


def _along(f: Callable[[Tensor], Tensor], v: Tensor) -> Callable[[Tensor], Tensor]:
    """The map x → D f(x)[v]."""
    return lambda x: torch.func.jvp(f, (x,), (v,))[1]


def _score(model: Any) -> Callable[[Tensor], Tensor]:
    if hasattr(model, "score"):
        return model.score
    return torch.func.grad(lambda x: model.log_density(x).sum())


def _coordinates(x: Tensor) -> Iterator[Tensor]:
    for i in range(x.shape[1]):
        direction = torch.zeros_like(x)
        direction[:, i] = 1.0
        yield direction


def directional(model: Any, x: Tensor, v: Tensor, order: int) -> Iterator[Tensor]:
    """D^T f[v, …, v] by T nested dual numbers."""
    f = model.log_density
    for _ in range(order):
        f = _along(f, v)
    yield f(x)


def laplacian(model: Any, x: Tensor, v: Tensor, order: int) -> Iterator[Tensor]:
    """Δf or Δ²f: second derivatives along coordinates by nested dual numbers."""
    for e in _coordinates(x):
        second = _along(_along(model.log_density, e), e)
        if order == 2:
            yield second(x)
            continue
        for other in _coordinates(x):
            yield _along(_along(second, other), other)(x)


def score_matching(model: Any, x: Tensor, v: Tensor, order: int) -> Iterator[Tensor]:
    """½‖s‖², then every ∂_i s_i by a dual number through the score."""
    s = _score(model)
    yield 0.5 * s(x).square().sum(-1)
    for i, e in enumerate(_coordinates(x)):
        yield _along(s, e)(x)[:, i]


def log_likelihood(model: Any, x: Tensor, v: Tensor, order: int) -> Iterator[Tensor]:
    """−log p(x) of a flow, with the log-determinant of its whole Jacobian, row by row, by dual numbers."""
    jacobian = torch.func.vmap(torch.func.jacfwd(lambda row: model.transform(row)[0]))(x)
    y = model.transform(x)[0]
    constant = 0.5 * x.shape[1] * math.log(2.0 * math.pi)
    yield 0.5 * y.square().sum(-1) + constant - torch.linalg.slogdet(jacobian).logabsdet


def terms(model: Any, quantity: str, order: int) -> Callable[..., Iterator[Tensor]] | None:
    """The terms of a quantity, or None where this route does not serve."""
    has_density = hasattr(model, "log_density")
    serves = {
        "directional": has_density and order <= min(6, getattr(model, "largest_order", 6)),
        "laplacian": has_density and order in (2, 4),
        "score_matching": True,
        "log_likelihood": hasattr(model, "transform"),
    }
    if not serves[quantity]:
        return None
    function = globals()[quantity]
    return lambda model, x, v: function(model, x, v, order)

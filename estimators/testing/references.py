"""Exact values of every target on the battery's tiny models, in float64, by routes of their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from estimators.testing.subject import Case, NotApplicable, Subject

NODES = 8  # Gauss–Hermite nodes in each of the three dimensions: exact to degree 15


def reference(subject: Subject, case: Case) -> Tensor:
    """What the estimator converges to on this case, (B,), differentiable in θ.

    Raises:
        NotApplicable: its target is not controlled.
    """
    est, model, x = subject.estimator, case.model, case.x
    if est.quantity == "directional":
        exact: Callable[[Tensor], Tensor] = lambda points: directional(model.log_density, points, case)  # noqa: E731
    elif est.quantity == "laplacian":
        exact = lambda points: laplacian(model.log_density, points, case.order)  # noqa: E731
    elif est.quantity == "log_likelihood":
        exact = lambda points: -model.log_density(points)  # noqa: E731
    elif est.target == "csm":
        exact = lambda points: composite_score_matching(model, points)  # noqa: E731
    elif est.target == "residual":
        exact = lambda points: 0.5 * model.residual(points, second_derivatives).square().sum(-1)  # noqa: E731
    else:
        exact = lambda points: score_matching(score_of(model), points)  # noqa: E731
    if est.target in ("none", "mle") and est.quantity == "score_matching":
        raise NotApplicable(f"target {est.target} is not one that the battery knows exactly")
    if est.target == "none":
        raise NotApplicable("its target is not controlled")
    sigma = subject.option("sigma")
    if est.target not in ("smoothed", "dsm"):
        return exact(x)
    if not isinstance(sigma, float):
        raise NotApplicable(f"target {est.target} without one option sigma")
    smoothed = gaussian_mean(exact, x, sigma)
    return smoothed if est.target == "smoothed" else smoothed + x.shape[1] / (2 * sigma**2)


def directional(f: Callable[[Tensor], Tensor], x: Tensor, case: Case) -> Tensor:
    """⟨∇·, v⟩ nested T times."""
    v = case.v if case.v.shape == x.shape else case.v.repeat(x.shape[0] // case.v.shape[0], 1)
    x = x.detach().requires_grad_(True)
    y = f(x)
    for _ in range(case.order):
        y = (_gradient(y, x) * v).sum(-1)
    return y


def laplacian(f: Callable[[Tensor], Tensor], x: Tensor, order: int) -> Tensor:
    """Δ^(order/2) f, one second derivative after the other."""
    x = x.detach().requires_grad_(True)
    y = f(x)
    for _ in range(order // 2):
        y = _trace(y, x)
    return y


def second_derivatives(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Δf, differentiable in the points x as well."""
    return _trace(f(x), x)


def score_of(model: Any) -> Callable[[Tensor], Tensor]:
    """The model's own score, or the gradient of its log-density; of a point that requires gradients."""
    if hasattr(model, "score"):
        return model.score
    return lambda x: _gradient(model.log_density(x), x)


def score_matching(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """½‖s‖² + tr ∇s."""
    square, trace = square_and_trace(score, x)
    return square + trace


def square_and_trace(score: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """½‖s‖² and tr ∇s."""
    x = x.detach().requires_grad_(True)
    s = score(x)
    trace = sum((_gradient(s[:, i], x)[:, i] for i in range(x.shape[1])), torch.zeros_like(x[:, 0]))
    return 0.5 * (s**2).sum(-1), trace


def composite_score_matching(model: Any, x: Tensor) -> Tensor:
    """Σ_d ½ s_d² + ∂s_d/∂x_d, each derivative by a pass of its own through context and tail."""
    x = x.detach().requires_grad_(True)
    s = model.conditional_score(model.context(x), x)
    return sum((0.5 * s[:, d] ** 2 + _gradient(s[:, d], x)[:, d] for d in range(x.shape[1])), torch.zeros_like(x[:, 0]))


def gaussian_mean(function: Callable[[Tensor], Tensor], x: Tensor, sigma: float) -> Tensor:
    """E function(x + σu), u ~ N(0, I), by a tensor grid of Gauss–Hermite nodes."""
    points, weights = gauss_hermite(NODES)
    dim = x.shape[1]
    grid = torch.cartesian_prod(*[points] * dim).view(-1, dim)
    weight = torch.cartesian_prod(*[weights] * dim).view(-1, dim).prod(-1)
    values = function((x + sigma * grid.unsqueeze(1)).flatten(0, 1)).view(-1, x.shape[0])
    return weight @ values


def gauss_hermite(count: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights for the standard normal density (Golub and Welsch: eigenvectors of the Jacobi matrix)."""
    off = torch.tensor([math.sqrt(k) for k in range(1, count)], dtype=torch.float64)
    nodes, vectors = torch.linalg.eigh(torch.diag(off, 1) + torch.diag(off, -1))
    return nodes, vectors[0] ** 2


def _trace(y: Tensor, x: Tensor) -> Tensor:
    g = _gradient(y, x)
    return sum((_gradient(g[:, i], x)[:, i] for i in range(x.shape[1])), torch.zeros_like(x[:, 0]))


def _gradient(y: Tensor, x: Tensor) -> Tensor:
    if not y.requires_grad:
        return torch.zeros_like(x)
    return torch.autograd.grad(y.sum(), x, create_graph=True, materialize_grads=True)[0]

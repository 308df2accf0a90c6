"""An order-3 workload: fitting the score of a diffusion by its evolution equation needs the gradient of a trace.

For dx = f dt + g dW the log-density obeys ∂_t log p = 𝓛[s] with 𝓛[s] = ½g²(tr ∇s + ‖s‖²) − f·s − ∇·f, and so its score
∂_t s = ∇𝓛[s]. With s = ∇q of a network q(x, t), ∇ tr ∇s is a third derivative, of which any estimator of Laplacians
gives an estimate by one more reverse pass. It enters the residual linearly, and the squared residual not.

Source: Hu, Zhang, Karniadakis, Kawaguchi (2024), Score-Based Physics-Informed Neural Networks for High-Dimensional
Fokker-Planck Equations; the two losses: Hu, Shi, Karniadakis, Kawaguchi (2024), Hutchinson Trace Estimation for
High-Dimensional and High-Order Physics-Informed Neural Networks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Laplacian = Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]  # (f, x) → an estimate of Δf, (B,)


class OrnsteinUhlenbeck:
    """dx_i = −a_i x_i dt + g dW_i from N(μ, diag(v₀)): Gaussian at all times, in closed form.

    x(t) ~ N(μ e^{−at}, v₀ e^{−2at} + g²(1 − e^{−2at})/2a), coordinate by coordinate.
    """

    def __init__(self, rates: Tensor, noise: float, mean: Tensor, variance: Tensor) -> None:
        self.rates, self.noise, self.mean, self.variance = rates, noise, mean, variance

    def moments(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance at the time t, a scalar: (D,) each."""
        decay = torch.exp(-self.rates * t)
        stationary = self.noise**2 / (2 * self.rates)
        return self.mean * decay, self.variance * decay**2 + stationary * (1 - decay**2)

    def draw(self, batch: int, t: Tensor, generator: torch.Generator) -> Tensor:
        """Points of the true density at t, (batch, D)."""
        mean, variance = self.moments(t)
        return mean + variance.sqrt() * torch.randn(batch, len(mean), dtype=mean.dtype, generator=generator)

    def log_density(self, x: Tensor, t: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        mean, variance = self.moments(t)
        return -0.5 * ((x - mean).square() / variance + (2 * math.pi * variance).log()).sum(-1)


class TimeEnergy(nn.Module):
    """q(x, t) = −½‖x‖² + network(x, t): a log-density up to a constant at each time."""

    def __init__(self, dim: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes = (dim + 1, width, width, 1)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            layer = nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=torch.float64)
            with torch.no_grad():
                layer.weight.normal_(0.0, 1.5 / math.sqrt(inputs), generator=generator)
                layer.bias.normal_(0.0, 0.5, generator=generator)
            layers += [layer, nn.Tanh()]
        self.network = nn.Sequential(*layers[:-1])

    def log_density(self, x: Tensor, t: Tensor) -> Tensor:
        """(B, D) to (B,), at one time t for all rows."""
        time = t.expand(len(x), 1)
        return self.network(torch.cat([x, time], -1)).squeeze(-1) - 0.5 * x.square().sum(-1)


def residual(model: Any, process: OrnsteinUhlenbeck, x: Tensor, t: Tensor, laplacian: Laplacian) -> Tensor:
    """The residual r = ∂_t s − ∇𝓛[s] = ∇(∂_t q − 𝓛[∇q]), (B, D), differentiable in θ; unbiased if ``laplacian`` is.

    Args:
        model: ``log_density(x, t)``, (B, D) to (B,).
        process: gives f = −a ⊙ x and g.
        x: the points, (B, D).
        t: the time, a scalar.
        laplacian: (f, x) → (B,), exact or random, differentiable in x.
    """
    x, t = x.detach().requires_grad_(True), t.detach().requires_grad_(True)

    def at_t(points: Tensor) -> Tensor:
        return model.log_density(points, t.detach())

    s, rate = torch.autograd.grad(model.log_density(x, t).sum(), (x, t), create_graph=True)
    operator = 0.5 * process.noise**2 * (laplacian(at_t, x) + s.square().sum(-1)) + (process.rates * x * s).sum(-1)
    (r,) = torch.autograd.grad(rate - operator.sum(), x, create_graph=True)  # ∇𝓛 drops −∇·f, a constant in x
    return r


def squared(r: Tensor) -> Tensor:
    """½‖r‖² row by row, (B,). With a random r it is too large by half the trace of its variance, and so is ∇θ wrong."""
    return 0.5 * r.square().sum(-1)


def two_halves(first: Tensor, second: Tensor) -> Tensor:
    """½ r₁·r₂ row by row, (B,), of two residuals with independent probes: unbiased for ½‖E r‖², and so is its ∇θ."""
    return 0.5 * (first * second).sum(-1)


def probe_variance(model: Any, process: OrnsteinUhlenbeck, x: Tensor, t: Tensor, probes: int) -> Tensor:
    """The variance tr Var r row by row, (B,), of Hutchinson's trace with M Rademacher probes, in closed form.

    With T_ijk = ∂³q/∂x_i∂x_j∂x_k: (½g²)² (2/M) Σ_{i≠j} Σ_k T_ijk². Third derivatives by forward mode over reverse.
    """

    def row(point: Tensor) -> Tensor:
        return model.log_density(point[None], t)[0]

    third = torch.func.vmap(torch.func.jacfwd(torch.func.jacfwd(torch.func.grad(row))))(x.detach())
    off_diagonal = 1.0 - torch.eye(x.shape[1], dtype=x.dtype)
    return (0.5 * process.noise**2) ** 2 * (2 / probes) * (third.square().sum(-1) * off_diagonal).sum((-2, -1))

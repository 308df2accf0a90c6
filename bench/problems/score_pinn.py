"""`score_pinn` and `score_pinn_density`: fitting a diffusion's score by its evolution equation, of third order.

For dx = f dt + g dW the log-density obeys ∂_t log p = 𝓛[s] with 𝓛[s] = ½g²(tr ∇s + ‖s‖²) − f·s − ∇·f, and so its score
∂_t s = ∇𝓛[s]. With s = ∇q of a network q(x, t), ∇ tr ∇s is a third derivative, of which any estimator of Laplacians
gives an estimate by one more reverse pass. It enters the residual linearly, and the squared residual not. Score
matching of the same network, at one time, is linear in the trace.

The process is one of Ornstein and Uhlenbeck, whose densities are known: ``ornstein_uhlenbeck`` draws its rows.

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

from bench.data.source import Source
from bench.data.source import register as register_source
from bench.exact.activations import ACTIVATIONS
from bench.point import ProblemSpec
from bench.problems.registry import register
from bench.problems.training import descend

TIME, NOISE = 0.4, 1.4
SMOOTH = tuple(name for name, activation in ACTIVATIONS.items() if activation.smooth)
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

    def __init__(
        self, dim: int, width: int, generator: torch.Generator, depth: int = 2, activation: str = "tanh"
    ) -> None:
        super().__init__()
        sizes = (dim + 1, *[width] * depth, 1)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            layer = nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=torch.float64)
            with torch.no_grad():
                layer.weight.normal_(0.0, 1.5 / math.sqrt(inputs), generator=generator)
                layer.bias.normal_(0.0, 0.5, generator=generator)
            layers += [layer, ACTIVATIONS[activation].module()]
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
    x, t = x if x.requires_grad else x.detach().requires_grad_(True), t.detach().requires_grad_(True)

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


def process(dim: int) -> OrnsteinUhlenbeck:
    """The one that problems are about: rates from ½ to 2, g = 1.4, from N(1, diag(2 … ½))."""
    rates = torch.linspace(0.5, 2.0, dim, dtype=torch.float64)
    return OrnsteinUhlenbeck(rates, NOISE, torch.ones_like(rates), rates.flip(0))


class ScorePinn(TimeEnergy):
    """q(x, t) at t = 0.4, and the residual of its score in the evolution equation there."""

    rates: Tensor
    time: Tensor

    def __init__(self, spec: ProblemSpec, generator: torch.Generator) -> None:
        super().__init__(spec.dim, spec.width, generator, spec.depth, spec.activation)
        self.register_buffer("rates", process(spec.dim).rates)
        self.register_buffer("time", torch.tensor(TIME, dtype=torch.float64))

    def log_density(self, x: Tensor, t: Tensor | None = None) -> Tensor:
        """(B, D) to (B,), at t or at the problem's time."""
        return super().log_density(x, self.time if t is None else t)

    def residual(self, x: Tensor, laplacian: Laplacian) -> Tensor:
        """r, (B, D)."""
        unread = torch.ones_like(self.rates)  # mean and variance at time zero: the equation does not know them
        return residual(self, OrnsteinUhlenbeck(self.rates, NOISE, unread, unread), x, self.time, laplacian)

    def learn(self, rows: Tensor) -> list[float]:
        """Steps on the exact squared residual."""

        def objective(points: Tensor) -> tuple[Tensor, list[Tensor]]:
            return squared_residual(self, points, every_second_derivative)

        return descend(self, rows, objective)


def every_second_derivative(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Δf, (B,), one reverse pass after the other, their graphs kept."""
    (first,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
    total = torch.zeros_like(x[:, 0])
    for i in range(x.shape[1]):
        (second,) = torch.autograd.grad(first[:, i].sum(), x, create_graph=True)
        total = total + second[:, i]
    return total


def squared_residual(model: Any, x: Tensor, laplacian: Laplacian) -> tuple[Tensor, list[Tensor]]:
    """½‖r‖² at the rows, (B,), and the gradient of its mean."""
    value = squared(model.residual(x, laplacian))
    parameters = [p for p in model.parameters() if p.requires_grad]
    keep: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}  # the last bias has no part in it
    return value.detach(), list(torch.autograd.grad(value.mean(), parameters, **keep))


def _registered(name: str, quantities: tuple[str, ...], needs: tuple[str, ...]) -> None:
    @register(name, quantities=quantities, needs=needs, reads=("depth", "width", "activation"), activations=SMOOTH)
    def build(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
        """q(x, t) of ``depth`` hidden layers of ``width`` units beside −½‖x‖², at the time 0.4."""
        return ScorePinn(spec, generator)


# One network under two names: its residual, and its log-density at the time alone. Their objectives are two, and no
# verdict should rank one against the other.
_registered("score_pinn", ("score_matching",), ("residual",))
_registered("score_pinn_density", ("directional", "laplacian", "score_matching"), ("function", "score"))


def _draw(dim: int, batch: int, generator: torch.Generator) -> Tensor:
    return process(dim).draw(batch, torch.tensor(TIME, dtype=torch.float64), generator)


register_source(Source("ornstein_uhlenbeck", draw=_draw))

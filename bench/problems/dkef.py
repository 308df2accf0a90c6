"""`dkef`: a deep kernel exponential family, its natural parameters solved in closed form on the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import torch
from torch import Tensor, nn

from bench import cache
from bench.point import ProblemSpec
from bench.problems.registry import register
from bench.problems.scaled_layers import Draws, hidden_layers
from bench.problems.weights import linear, normal

POINTS, KERNELS, FEATURES = 32, 2, 16
BASE_SPREAD, RIDGE = 2.0, 1e-2
FIT_VERSION = 1


class DeepKernelEnergy(nn.Module):
    """A base density tilted by kernels on deep features, up to a constant.

    log p(x) = −‖x‖²/(2·2²) + Σ_m α_m k(x, z_m), k(x, z) = Σ_r w_r exp(−½‖φ_r(x) − φ_r(z)‖²/ℓ_r²), w = softmax.

    Source: Wenliang, Sutherland, Strathmann, Gretton (2019), Learning deep kernels for exponential family densities.
    """

    def __init__(self, features: list[nn.Module], points: Tensor, log_lengths: Tensor) -> None:
        super().__init__()
        self.features = nn.ModuleList(features)
        self.points, self.log_lengths = nn.Parameter(points), nn.Parameter(log_lengths)
        self.weights = nn.Parameter(torch.zeros(len(features), dtype=torch.float64))
        self.alpha = nn.Parameter(torch.zeros(len(points), dtype=torch.float64))

    def kernel(self, x: Tensor) -> Tensor:
        """The kernel between rows and inducing points, (B, D) to (B, M)."""
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        for weight, feature, log_length in zip(
            torch.softmax(self.weights, 0), self.features, self.log_lengths, strict=True
        ):
            difference = (feature(x).unsqueeze(-2) - feature(self.points)) * torch.exp(-log_length)
            total = total + weight * torch.exp(-0.5 * difference.square().sum(-1))
        return total

    def base(self, x: Tensor) -> Tensor:
        """The logarithm of the base density up to a constant, (B,)."""
        return -0.5 * x.square().sum(-1) / BASE_SPREAD**2

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        return self.base(x) + self.kernel(x) @ self.alpha


def natural_parameters(model: DeepKernelEnergy, rows: Tensor) -> Tensor:
    """The α that minimises mean ½‖s‖² + tr ∇s + ½λ‖α‖² over the rows, (M,); s is linear in α.

    (E KᵀK + λI) α = −E[Kᵀs₀ + Δk], with K = ∂k/∂x (D, M), s₀ the base's score, and λ relative to the mean diagonal.
    """
    score = -rows / BASE_SPREAD**2
    gram = torch.zeros(len(model.alpha), len(model.alpha), dtype=rows.dtype)
    right = torch.zeros(len(model.alpha), dtype=rows.dtype)
    with torch.no_grad():
        for i in range(rows.shape[1]):
            direction = torch.zeros_like(rows)
            direction[:, i] = 1.0
            first, second = _first_and_second(model.kernel, rows, direction)
            gram += first.T @ first / len(rows)
            right += (first.T @ score[:, i] + second.sum(0)) / len(rows)
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return -torch.linalg.solve(gram + ridge, right)


def _first_and_second(f: Callable[[Tensor], Tensor], x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """D f(x)[v] and D²f(x)[v, v] by nested dual numbers."""
    first, second = torch.func.jvp(lambda y: torch.func.jvp(f, (y,), (v,))[1], (x,), (v,))[:2]
    return first, second


@register("dkef", reads=("depth", "width", "activation"))
def build_dkef(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """Two kernels on 16 features each, of networks with ``depth`` hidden layers of ``width`` units; 32 inducing points.

    Lengths are the features' median distances; α is solved in closed form on the rows, and a parameter from then on.
    """
    points = rows[torch.arange(POINTS) % len(rows)] + 0.1 * normal(generator, POINTS, spec.dim)
    features: list[nn.Module] = []
    lengths = []
    for _ in range(KERNELS):
        hidden = hidden_layers(spec, Draws(spec, generator), rows, 1.0)
        last = linear(normal(generator, FEATURES, spec.width) / spec.width**0.5, torch.zeros(FEATURES).double())
        network = nn.Sequential(*hidden, last)
        with torch.no_grad():
            lengths.append(torch.cdist(network(rows), network(points)).median().clamp_min(1e-6))
        features.append(network)
    model = DeepKernelEnergy(features, points, torch.stack(lengths).log())
    facts = {**asdict(spec), "batch": 0, "rows": cache.digest_of(rows.numpy()), "version": FIT_VERSION}
    solution = cache.array("fits", facts, (POINTS,), lambda: natural_parameters(model, rows).numpy())
    with torch.no_grad():
        model.alpha.copy_(torch.from_numpy(solution))
    return model

"""Tiny models for the conformance battery, one for each protocol, with parameters from a seed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class SoftplusNet(nn.Module):
    """A log-density of two hidden softplus layers, whose value, score and curvature are of order one."""

    def __init__(self, dim: int, width: int = 6, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        sizes = (dim, width, width, 1)
        layers: list[nn.Module] = []
        for i in range(3):
            layers += [_linear(sizes[i], sizes[i + 1], 2.0, generator), nn.Softplus()]
        self.layers = nn.Sequential(*layers[:-1])

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        return self.layers(x).squeeze(-1)


class TanhNet(nn.Module):
    """A log-density of plain functions (matmul, tanh, sin), without modules."""

    def __init__(self, dim: int, width: int = 5, seed: int = 6) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = nn.Parameter(torch.randn(width, dim, generator=generator) / dim**0.5)
        self.second = nn.Parameter(torch.randn(width, generator=generator))

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        h = torch.tanh(x @ self.first.T)
        return (h + torch.sin(h)) @ self.second


class Quadratic(nn.Module):
    """log p = bᵀx − ½ xᵀAx with A a parameter, not symmetric and of no special trace."""

    def __init__(self, dim: int, seed: int = 1) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.a = nn.Parameter(
            torch.randn(dim, dim, generator=generator) / dim + torch.diag(torch.arange(1.0, dim + 1) / dim)
        )
        self.b = nn.Parameter(torch.randn(dim, generator=generator))

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        return x @ self.b - 0.5 * ((x @ self.a) * x).sum(-1)


class VectorField(nn.Module):
    """A score that is no gradient: its Jacobian is not symmetric."""

    def __init__(self, dim: int, width: int = 6, seed: int = 2) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.net = nn.Sequential(
            _linear(dim, width, 1.5, generator), nn.Softplus(), _linear(width, dim, 1.5, generator)
        )

    def score(self, x: Tensor) -> Tensor:
        """(B, D) to (B, D)."""
        return self.net(x)


class Conditionals(nn.Module):
    """Conditional scores s_d(x_<d, x_d): a masked linear context and a small shared tail."""

    def __init__(self, dim: int, width: int = 4, seed: int = 3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(dim, width, dim, generator=generator))
        self.tail = nn.Sequential(
            _linear(width + 1, width, 1.5, generator), nn.Softplus(), _linear(width, 1, 1.5, generator)
        )

    def context(self, x: Tensor) -> Tensor:
        """(B, D) to (B, D, C), row d seeing only x before d."""
        dim = x.shape[1]
        mask = torch.ones(dim, dim, dtype=x.dtype, device=x.device).tril(-1)
        return torch.tanh(torch.einsum("dce,de,be->bdc", self.weight, mask, x))

    def conditional_score(self, context: Tensor, x: Tensor) -> Tensor:
        """(B, D, C) and (B, D) to (B, D)."""
        return self.tail(torch.cat([context, x.unsqueeze(-1)], dim=-1)).squeeze(-1)


class Equilibrium(nn.Module):
    """A log-density through the fixed point of a contraction, ‖W‖_F = 0.4."""

    def __init__(self, dim: int, width: int = 5, seed: int = 4) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        w = torch.randn(width, width, generator=generator)
        self.w = nn.Parameter(0.4 * w / torch.linalg.matrix_norm(w))
        self.inject = _linear(dim, width, 1.0, generator)
        self.read = _linear(width, 1, 1.0, generator)

    def initial(self, x: Tensor) -> Tensor:
        """(B, D) to (B, W)."""
        return x.new_zeros((x.shape[0], self.w.shape[0]))

    def layer(self, z: Tensor, x: Tensor) -> Tensor:
        """One application of the contraction."""
        return torch.tanh(z @ self.w.T + self.inject(x))

    def head(self, z: Tensor, x: Tensor) -> Tensor:
        """(B, W) to (B,)."""
        return self.read(z).squeeze(-1) - 0.5 * (x**2).sum(-1)

    def log_density(self, x: Tensor) -> Tensor:
        """The unrolled fixed-point iteration, to convergence."""
        z = self.initial(x)
        for _ in range(60):
            z = self.layer(z, x)
        return self.head(z, x)


class Flow(nn.Module):
    """A normalising flow of a dense linear layer, a smooth leaky unit and another dense layer, on a Gaussian base."""

    def __init__(self, dim: int, seed: int = 5) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = nn.Parameter(torch.eye(dim) + 0.3 * torch.randn(dim, dim, generator=generator))
        self.second = nn.Parameter(torch.eye(dim) + 0.3 * torch.randn(dim, dim, generator=generator))

    def log_density(self, x: Tensor, constant_log_dets: bool = True) -> Tensor:
        """(B, D) to (B,); without the log-determinants of the dense layers if ``constant_log_dets`` is false."""
        h = x @ self.first.T
        y = 0.3 * h + 0.7 * nn.functional.softplus(h)
        z = y @ self.second.T
        log_density = -0.5 * (z**2).sum(-1) - 0.5 * x.shape[1] * torch.log(torch.tensor(2 * torch.pi, dtype=x.dtype))
        log_density = log_density + torch.log(0.3 + 0.7 * torch.sigmoid(h)).sum(-1)
        if constant_log_dets:
            log_density = log_density + torch.linalg.slogdet(self.first)[1] + torch.linalg.slogdet(self.second)[1]
        return log_density


class Evolution(TanhNet):
    """A log-density q with the residual ∇(Δq + ½‖∇q‖²) − b of an evolution equation."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.b = nn.Parameter(torch.arange(1.0, dim + 1) / dim)

    def residual(self, x: Tensor, laplacian: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]) -> Tensor:
        """(B, D) to (B, D)."""
        x = x if x.requires_grad else x.detach().requires_grad_(True)
        (s,) = torch.autograd.grad(self.log_density(x).sum(), x, create_graph=True)
        operator = laplacian(self.log_density, x) + 0.5 * s.square().sum(-1)
        return torch.autograd.grad(operator.sum(), x, create_graph=True)[0] - self.b


MODELS: dict[str, tuple[type[nn.Module], ...]] = {
    "function": (SoftplusNet, TanhNet, Quadratic),
    "score": (SoftplusNet, Quadratic, VectorField),
    "layers": (SoftplusNet,),
    "conditional_scores": (Conditionals,),
    "equilibrium": (Equilibrium,),
    "flow": (Flow,),
    "residual": (Evolution,),
}


def _linear(inputs: int, outputs: int, gain: float, generator: torch.Generator) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)  # its own initialisation would draw from the global state
    with torch.no_grad():
        layer.weight.copy_(torch.randn(outputs, inputs, generator=generator) * gain / inputs**0.5)
        layer.bias.copy_(0.5 * torch.randn(outputs, generator=generator))
    return layer

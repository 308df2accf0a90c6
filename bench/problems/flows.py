"""Normalising flows as energies: `glow_fc`, dense linear layers, and `nice`, additive couplings."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bench.exact.couplings import Coupling, DiagonalScale, NegativeHalfSquare, Total
from bench.point import ProblemSpec
from bench.problems.pixel_flow import PIXELS, standardised_logits
from bench.problems.registry import register
from bench.problems.scaled_layers import Draws, hidden_layers
from bench.problems.weights import linear, normal, orthogonal

LEAK = 0.3
COUPLINGS = 4


def standard_normal(y: Tensor) -> Tensor:
    """Its log-density at y, (B,)."""
    return -0.5 * y.square().sum(-1) - 0.5 * y.shape[-1] * math.log(2.0 * math.pi)


class SmoothLeaky(nn.Module):
    """αx + (1 − α)·softplus(x), increasing with slopes between α and one."""

    def forward(self, x: Tensor) -> Tensor:
        """Pointwise."""
        return LEAK * x + (1.0 - LEAK) * nn.functional.softplus(x)

    def log_slope(self, x: Tensor) -> Tensor:
        """The logarithm of its derivative, pointwise."""
        return torch.log(LEAK + (1.0 - LEAK) * torch.sigmoid(x))

    def slopes(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """σ′ and σ″, and the first two derivatives of log σ′, pointwise."""
        s = torch.sigmoid(x)
        bend = (1.0 - LEAK) * s * (1.0 - s)
        slope, third = LEAK + (1.0 - LEAK) * s, bend * (1.0 - 2.0 * s)
        return slope, bend, bend / slope, third / slope - (bend / slope) ** 2


class DenseFlow(nn.Module):
    """y = W_L ⋯ σ(W_1 x + b_1) ⋯ + b_L with square W, and log p(x) = log N(y) + log|det ∂y/∂x|.

    The log-determinants of the linear layers are constant in x: a score needs only those of σ, a likelihood both.
    Source of the setting: Chao, Sun, Hsu, Kira, Lee (2023), Training Energy-Based Normalizing Flow with Score-Matching
    Objectives.
    """

    def __init__(self, linears: list[nn.Linear]) -> None:
        super().__init__()
        self.linears, self.leaky = nn.ModuleList(linears), SmoothLeaky()

    def transform(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y, (B, D), and the part of log|det ∂y/∂x| that depends on x, (B,)."""
        log_det = torch.zeros_like(x[..., 0])
        for i, layer in enumerate(self.linears):
            if i > 0:
                log_det = log_det + self.leaky.log_slope(x).sum(-1)
                x = self.leaky(x)
            x = layer(x)
        return x, log_det

    def log_density(self, x: Tensor, constant_log_dets: bool = True) -> Tensor:
        """(B, D) to (B,); without ``constant_log_dets`` up to a constant in x, which spares O(D³)."""
        y, log_det = self.transform(x)
        log_density = standard_normal(y) + log_det
        if constant_log_dets:
            log_density = log_density + sum(torch.linalg.slogdet(layer.weight).logabsdet for layer in self.linears)
        return log_density

    @property
    def closed_form_orders(self) -> dict[str, tuple[int, ...]]:
        """There is a formula for one activation between two linear layers, the published setting."""
        return {"laplacian": (2,), "score_matching": (2,)} if len(self.linears) == 2 else {}

    def closed_form(self, quantity: str, order: int, x: Tensor, v: Tensor) -> Tensor:
        """Δ log p, or ½‖s‖² + Δ log p, of two linear layers, in O(D²) a row: (B,).

        With z = Vx + b, y = Wσ(z) + c, ℓ = log σ′ and n_j = ‖V_j‖²:
        s = Vᵀ(ℓ′(z) − σ′(z) ⊙ Wᵀy) and
        Δ log p = Σ_j n_j(ℓ″ − σ″ ⊙ Wᵀy)_j − σ′ᵀ(VVᵀ ∘ WᵀW)σ′.
        """
        first, second = self.linears
        assert isinstance(first, nn.Linear) and isinstance(second, nn.Linear)
        z = first(x)
        slope, bend, log_slope, log_bend = self.leaky.slopes(z)
        back = second(self.leaky(z)) @ second.weight
        norms = first.weight.square().sum(-1)
        products = (first.weight @ first.weight.T) * (second.weight.T @ second.weight)
        laplacian = ((log_bend - bend * back) * norms).sum(-1) - ((slope @ products) * slope).sum(-1)
        if quantity == "laplacian":
            return laplacian
        score = (log_slope - slope * back) @ first.weight
        return 0.5 * score.square().sum(-1) + laplacian


class AdditiveFlow(nn.Module):
    """Additive couplings of alternating halves, then a diagonal scale: log|det| = Σ_i a_i, constant in x.

    ``layers`` gives the log-density as (B, 1), up to constants in x.

    Source: Dinh, Krueger, Bengio (2014), NICE: Non-linear Independent Components Estimation.
    """

    def __init__(self, couplings: list[Coupling], log_scale: Tensor) -> None:
        super().__init__()
        self.scale = DiagonalScale(log_scale)
        self.layers = nn.Sequential(*couplings, self.scale, NegativeHalfSquare(), Total(len(log_scale)))

    def transform(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y, (B, D), and zeros, (B,): no part of the log-determinant depends on x."""
        return self.layers[:-2](x), torch.zeros_like(x[..., 0])

    def log_density(self, x: Tensor, constant_log_dets: bool = True) -> Tensor:
        """(B, D) to (B,); without ``constant_log_dets`` up to a constant in x."""
        log_density = standard_normal(self.transform(x)[0])
        return log_density + self.scale.log_scale.sum() if constant_log_dets else log_density


QUANTITIES = ("directional", "laplacian", "score_matching", "log_likelihood")
NEEDS = ("function", "score", "flow")


@register("glow_fc", quantities=QUANTITIES, needs=NEEDS, reads=("depth",), normalised=True)
def build_glow_fc(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """``depth`` + 1 dense linear layers with smooth leaky activations between, so that y is of unit size on the rows.

    Every weight is orthogonal plus a random tenth, and well conditioned. On raw pixels, the flow of their preprocessed
    values with the preprocessing inside.
    """
    before = standardised_logits(spec.dim) if spec.data == PIXELS else None
    linears, h = [], rows if before is None else before.preprocess(rows)[0]
    for i in range(spec.depth + 1):
        weight = orthogonal(spec.dim, spec.dim, generator)
        noise = normal(generator, spec.dim, spec.dim)
        weight = weight + (0.1 / math.sqrt(spec.dim)) * noise
        if i > 0:
            h = SmoothLeaky()(h)
        z = h @ weight.T
        size = (z - z.mean(0)).square().mean().sqrt().clamp_min(1e-12)
        weight, z = weight / size, z / size
        bias = 0.1 * normal(generator, spec.dim) - z.mean(0)
        linears.append(linear(weight, bias))
        h = z + bias
    if before is None:
        return DenseFlow(linears)
    before.flow = DenseFlow(linears)
    return before


@register(
    "nice",
    quantities=QUANTITIES,
    needs=(*NEEDS, "layers"),
    reads=("depth", "width", "activation"),
    normalised=True,
    dims=range(2, 1_000_000),
)
def build_nice(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """Four couplings, each a network of ``depth`` hidden layers of ``width`` units; shifts of size ½ on the rows."""
    half = (spec.dim + 1) // 2
    halves = slice(0, half), slice(half, spec.dim)
    couplings: list[Coupling] = []
    for i in range(COUPLINGS):
        source, target = halves if i % 2 == 0 else halves[::-1]
        given, moved = rows[:, source], rows[:, target]
        inner = ProblemSpec(dim=given.shape[1], depth=spec.depth, width=spec.width, activation=spec.activation)
        hidden = hidden_layers(inner, Draws(inner, generator), given, 1.0)
        weight = normal(generator, moved.shape[1], spec.width) / math.sqrt(spec.width)
        with torch.no_grad():
            features = nn.Sequential(*hidden)(given)
            shift = (features - features.mean(0)) @ weight.T
            weight = weight * (0.5 / shift.square().mean().sqrt().clamp_min(1e-12))
            block = nn.Sequential(*hidden, linear(weight, -weight @ features.mean(0)))
            couplings.append(Coupling(block, source, target))
            rows = couplings[-1](rows)
    return AdditiveFlow(couplings, 0.1 * normal(generator, spec.dim))

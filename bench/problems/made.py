"""`made`: autoregressive conditional scores, a masked context network under a shared tail."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bench.exact.activations import ACTIVATIONS
from bench.point import ProblemSpec
from bench.problems.registry import register
from bench.problems.weights import normal

CONTEXT, TAIL = 8, 16  # numbers a coordinate's context has, and units of the tail


class MaskedLinear(nn.Module):
    """An affine layer whose weight is multiplied by a fixed mask (out, in)."""

    mask: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, mask: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) to (…, out)."""
        return nn.functional.linear(x, self.weight * self.mask, self.bias)


class ConditionalScores(nn.Module):
    """s_d(x) = tail(c_d(x_{<d}), x_d): the score of every coordinate given those before it.

    A vector field whose Jacobian's diagonal is ∂s_d/∂x_d at fixed context, so that score matching on it is composite
    score matching: Σ_d ½s_d² + ∂s_d/∂x_d. Source: Meng, Yu, Song, Song, Ermon (2020), Autoregressive Score Matching.
    """

    def __init__(self, contexts: nn.Module, tail: nn.Module, dim: int) -> None:
        super().__init__()
        self.contexts, self.tail, self.dim = contexts, tail, dim

    def context(self, x: Tensor) -> Tensor:
        """(B, D) to (B, D, C); row d sees only x before d."""
        return self.contexts(x).unflatten(-1, (self.dim, CONTEXT))

    def conditional_score(self, context: Tensor, x: Tensor) -> Tensor:
        """(B, D, C) and (B, D) to (B, D), coordinate by coordinate."""
        return self.tail(torch.cat([context, x.unsqueeze(-1)], -1)).squeeze(-1)

    def score(self, x: Tensor) -> Tensor:
        """(B, D) to (B, D)."""
        return self.conditional_score(self.context(x), x)


@register(
    "made",
    quantities=("score_matching",),
    needs=("score", "conditional_scores"),
    reads=("depth", "width", "activation"),
)
def build_made(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """``depth`` masked hidden layers of ``width`` units; units see coordinates up to a degree, spread over 1 … D − 1.

    Source of the masks: Germain, Gregor, Murray, Larochelle (2015), MADE. Weights are scaled by fan-in under the mask
    and by the activation's slope on the rows.
    """
    activation = ACTIVATIONS[spec.activation]
    degrees = torch.arange(1, spec.dim + 1)
    units = 1 + torch.arange(spec.width) % max(spec.dim - 1, 1)
    modules: list[nn.Module] = []
    h, before, slope = rows, degrees, 1.0
    for _ in range(spec.depth):
        mask = (units[:, None] >= before[None, :]).to(torch.float64)
        layer = _masked(mask, slope, generator)
        z = layer(h).detach()
        layer.bias.data -= z.mean(0)
        z = z - z.mean(0) + 0.0
        slope = float(activation.derivative(1, z).square().mean().sqrt())
        modules += [layer, activation.module()]
        h, before = activation.derivative(0, z), units
    mask = (degrees.repeat_interleave(CONTEXT)[:, None] > before[None, :]).to(torch.float64)
    contexts = nn.Sequential(*modules, _masked(mask, slope, generator))
    tail = nn.Sequential(
        _dense(CONTEXT + 1, TAIL, generator), activation.module(), _dense(TAIL, 1, generator, gain=1.0 / 0.6)
    )
    return ConditionalScores(contexts, tail, spec.dim)


def _masked(mask: Tensor, slope: float, generator: torch.Generator) -> MaskedLinear:
    seen = mask.sum(1, keepdim=True).clamp_min(1.0)
    weight = normal(generator, *mask.shape) / (seen.sqrt() * slope)
    bias = 0.3 * normal(generator, len(mask))
    return MaskedLinear(weight, bias, mask)


def _dense(inputs: int, outputs: int, generator: torch.Generator, gain: float = 1.0) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.normal_(0.0, gain / math.sqrt(inputs), generator=generator)
        layer.bias.normal_(0.0, 0.3, generator=generator)
    return layer

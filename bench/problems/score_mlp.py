"""`score_mlp`: a fully connected vector field of any depth, on the scale of a score."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bench.point import ProblemSpec
from bench.problems.energy import LayeredScore
from bench.problems.registry import register
from bench.problems.scaled_layers import Draws, hidden_layers, linear

ROWS = 16


@register(
    "score_mlp", quantities=("score_matching",), needs=("score",), reads=("depth", "width", "activation", "residual")
)
def build_score_mlp(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """A field s = layers(x): ``depth`` hidden layers of ``width`` units and D outputs.

    The output weight is the sum of a random one and a multiple of −E[∂h/∂x]ᵀ, h being the last hidden layer: a decoder
    tied to its encoder, as trained scores have, without which the trace would vanish as 1/√D. The two are sized so
    that E‖s‖² = 1 for the random part alone, and tr E[∂s/∂x] = −1 for the tied part alone.
    """
    hidden = nn.Sequential(*hidden_layers(spec, Draws(spec, generator), rows, 1.0))
    x = rows[:ROWS].detach().requires_grad_(True)
    h = hidden(x)
    jacobian = torch.stack(  # E ∂h/∂x, (W, D)
        [torch.autograd.grad(h[:, j].sum(), x, retain_graph=True)[0].mean(0) for j in range(spec.width)]
    )
    random = torch.randn(spec.dim, spec.width, dtype=torch.float64, generator=generator) / math.sqrt(spec.width)
    with torch.no_grad():
        features = hidden(rows)
        centre = features.mean(0)
        random /= ((features - centre) @ random.T).square().sum(-1).mean().sqrt().clamp_min(1e-12)
        weight = random - jacobian.T / jacobian.square().sum().clamp_min(1e-12)
    return LayeredScore(nn.Sequential(*hidden, linear(weight, -weight @ centre)))

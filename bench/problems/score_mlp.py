"""`score_mlp`: a fully connected vector field of any depth, on the scale of a score."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bench.exact import forward_laplacian
from bench.point import ProblemSpec
from bench.problems.energy import LayeredScore
from bench.problems.registry import register
from bench.problems.scaled_layers import Draws, hidden_layers
from bench.problems.weights import linear, normal

ROWS, PROBES = 64, 16
SMALLEST_INPUT_SCALE, LARGEST_TRACE = 2.0**-7, 2.0


@register(
    "score_mlp", quantities=("score_matching",), needs=("score",), reads=("depth", "width", "activation", "residual")
)
def build_score_mlp(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """A field s = layers(x): ``depth`` hidden layers of ``width`` units and D outputs.

    The output weight is the sum of a random one and a multiple of −E[∂h/∂x]ᵀ, h being the last hidden layer: a decoder
    tied to its encoder, as trained scores have, without which the trace would vanish as 1/√D. The two are sized so
    that E‖s‖² = 1 for the random part alone, and tr E[∂s/∂x] = −1 for the tied part alone. The input scale is halved
    until tr ∂s/∂x, estimated with ``PROBES`` directions, has a root mean square below ``LARGEST_TRACE``.
    """
    draws = Draws(spec, generator)
    random = normal(generator, spec.dim, spec.width)
    shape = (spec.dim, PROBES)
    signs = torch.randint(0, 2, shape, generator=generator).to(torch.float64).mul_(2).sub_(1) / math.sqrt(PROBES)
    directions = signs if spec.dim > PROBES else torch.eye(spec.dim, dtype=torch.float64)
    scale = 1.0
    while True:
        model = _tied(hidden_layers(spec, draws, rows, scale), random, rows)
        with torch.no_grad():
            _, columns = forward_laplacian.jacobian(model.layers, rows[:ROWS], directions)
            trace = (columns * directions).sum((-2, -1)).square().mean().sqrt()
        if trace < LARGEST_TRACE or scale <= SMALLEST_INPUT_SCALE:
            return model
        scale /= 2


def _tied(hidden: list[nn.Module], random: Tensor, rows: Tensor) -> LayeredScore:
    """Hidden layers under an output that is random and tied to them."""
    with torch.no_grad():
        features = nn.Sequential(*hidden)(rows)
        identity = torch.eye(rows.shape[1], dtype=rows.dtype)
        if rows.shape[1] <= features.shape[1]:
            _, jacobian = forward_laplacian.jacobian(hidden, rows[:ROWS], identity)
            jacobian = jacobian.mean(0)  # E ∂h/∂x, (W, D)
        else:
            first = hidden[0]
            assert isinstance(first, nn.Linear)
            units = torch.eye(features.shape[1], dtype=rows.dtype)
            _, jacobian = forward_laplacian.jacobian(hidden[1:], first(rows[: ROWS // 4]), units)
            jacobian = jacobian.mean(0) @ first.weight
        centre = features.mean(0)
        size = ((features - centre) @ random.T).square().sum(-1).mean().sqrt().clamp_min(1e-12)
        weight = random / size - jacobian.T / jacobian.square().sum().clamp_min(1e-12)
    return LayeredScore(nn.Sequential(*hidden, linear(weight, -weight @ centre)))

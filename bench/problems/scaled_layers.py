"""Hidden layers whose derivatives neither vanish nor explode with depth, for any activation, on the data at hand."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bench.exact.activations import ACTIVATIONS
from bench.exact.residual import Residual
from bench.point import ProblemSpec
from bench.problems.weights import linear, normal, orthogonal

BIAS_SPREAD = 0.5


class Draws:
    """The random numbers of a network, drawn once, so that it can be built again at another input scale."""

    def __init__(self, spec: ProblemSpec, generator: torch.Generator) -> None:
        self.first = normal(generator, spec.width, spec.dim)
        self.hidden = [orthogonal(spec.width, spec.width, generator) for _ in range(spec.depth - 1)]
        self.biases = [BIAS_SPREAD * normal(generator, spec.width) for _ in range(spec.depth)]


def hidden_layers(spec: ProblemSpec, draws: Draws, rows: Tensor, input_scale: float) -> list[nn.Module]:
    """``depth`` hidden layers, each scaled by the activation's gain on the rows.

    Layer by layer: biases centre every unit's pre-activations on the rows, up to a spread; a hidden weight, orthogonal,
    is divided by the root mean square of φ′ at the layer before it, so that gradients keep their length. The first
    layer's pre-activations have root mean square ``input_scale``. With skip connections a branch is divided by
    √depth besides.

    Args:
        spec: sizes, activation, residual.
        draws: the random numbers.
        rows: (N, D) float64.
        input_scale: how far into the nonlinearity the data reach.

    Returns:
        The modules, in float64: affine and activation in turn, or residual blocks of the two after the first.
    """
    activation = ACTIVATIONS[spec.activation]
    modules: list[nn.Module] = []
    h, slope = rows, 1.0
    for depth in range(spec.depth):
        if depth == 0:
            weight = draws.first * (input_scale / _rms(rows @ draws.first.T))
        else:
            weight = draws.hidden[depth - 1] / (slope * (math.sqrt(spec.depth) if spec.residual else 1.0))
        z = h @ weight.T
        bias = draws.biases[depth] - z.mean(0)
        z = z + bias
        slope = float(_rms(activation.derivative(1, z)))
        block = [linear(weight, bias), activation.module()]
        if spec.residual and depth > 0:
            h = h + activation.derivative(0, z)
            modules.append(Residual(nn.Sequential(*block)))
        else:
            h = activation.derivative(0, z)
            modules += block
    return modules


def _rms(t: Tensor) -> Tensor:
    return t.square().mean().sqrt().clamp_min(1e-12)

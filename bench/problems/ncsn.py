"""Noise-conditional score networks of images: `ncsn_high`, `ncsn_middle` and `ncsn_low`, one network at three levels.

An objective that anneals tells the network each row's noise level, ``score(x, sigma)``. One that does not sees the
field at the family's own level, σ = 1, 0.1 or 0.01: the same parameters, a score ten times as large at each.

Source: Song, Ermon (2019), Generative Modeling by Estimating Gradients of the Data Distribution, and the 1/σ of its
sequel (2020), Improved Techniques for Training Score-Based Generative Models.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from bench.exact.activations import ACTIVATIONS
from bench.point import ProblemSpec
from bench.problems.images import SHAPES, WIDTH_PER_CHANNEL
from bench.problems.registry import register
from bench.problems.weights import normal

LEVELS = {"ncsn_high": 1.0, "ncsn_middle": 0.1, "ncsn_low": 0.01}


class NoiseConditionalScore(nn.Module):
    """s(x, σ) = net(x, log σ)/σ: convolutions 3×3 of stride one, each channel shifted by a multiple of log σ."""

    def __init__(self, shape: tuple[int, int], convolutions: list[nn.Conv2d], activation: str, sigma: float) -> None:
        super().__init__()
        self.shape, self.sigma = shape, sigma
        self.convolutions = nn.ModuleList(convolutions)
        self.levels = nn.ParameterList(torch.zeros_like(c.weight[:, 0, 0, 0]) for c in convolutions[:-1])
        self.activation = ACTIVATIONS[activation].module()

    def score(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """(B, D) to (B, D) at the levels ``sigma``, (B, 1); None for the network's own."""
        if sigma is None:
            sigma = torch.full_like(x[:, :1], self.sigma)
        h, level = x.reshape(-1, self.shape[0], self.shape[1], self.shape[1]), sigma.log()
        *hidden, last = self.convolutions
        for convolution, slope in zip(hidden, self.levels, strict=True):
            h = self.activation(convolution(h) + (level * slope)[:, :, None, None])
        return last(h).reshape(x.shape) / sigma


def _build(spec: ProblemSpec, rows: Tensor, generator: torch.Generator, sigma: float) -> nn.Module:
    inputs, side, _ = SHAPES[spec.dim]
    channels = [inputs, *[max(spec.width // WIDTH_PER_CHANNEL, 4)] * spec.depth, inputs]
    convolutions = []
    for before, after in pairwise(channels):
        convolution = nn.utils.skip_init(nn.Conv2d, before, after, 3, padding=1, dtype=torch.float64)
        with torch.no_grad():
            convolution.weight.normal_(0.0, 1.2 / math.sqrt(9 * before), generator=generator)
            convolution.bias.copy_(0.5 * normal(generator, after))
        convolutions.append(convolution)
    model = NoiseConditionalScore((inputs, side), convolutions, spec.activation, sigma)
    with torch.no_grad():
        for slope in model.levels:
            slope.copy_(0.3 * normal(generator, len(slope)))
        size = model.score(rows, torch.ones_like(rows[:, :1])).square().sum(-1).mean().sqrt()
        for parameter in convolutions[-1].parameters():
            parameter /= size
    return model


def _registered(name: str, sigma: float) -> None:
    @register(
        name,
        quantities=("score_matching",),
        needs=("score",),
        reads=("depth", "width", "activation"),
        dims=tuple(SHAPES),
    )
    def build(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
        """``depth`` convolutions of ``width``/8 channels, at least four; ‖s‖ of root mean square one at σ = 1."""
        return _build(spec, rows, generator, sigma)


for _name, _sigma in LEVELS.items():
    _registered(_name, _sigma)

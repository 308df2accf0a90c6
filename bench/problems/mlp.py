"""`mlp`: a fully connected energy of any depth, whose score and curvature are of order one on its data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict

import torch
from torch import Tensor, nn

from bench import cache
from bench.exact import forward_laplacian
from bench.point import ProblemSpec
from bench.problems.energy import LayeredEnergy
from bench.problems.registry import register
from bench.problems.scaled_layers import Draws, hidden_layers
from bench.problems.weights import linear, normal

INPUT_SCALES = (2.0**-7, 2.0)
PROBES, ROWS, ITERATIONS, TOLERANCE = 16, 64, 12, 0.25
SCALING_VERSION = 1


@register("mlp", needs=("function", "score", "layers"), reads=("depth", "width", "activation", "residual"))
def build_mlp(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """An energy f = layers(x): ``depth`` hidden layers of ``width`` units and one output.

    Two numbers are set on the rows: the output weight, so that ‖∇f‖ has root mean square one, and the input scale, by a
    fixed-point iteration within ``INPUT_SCALES``, so that Δf has too, which for that is
    estimated with ``PROBES`` directions.
    """
    draws = Draws(spec, generator)
    output = normal(generator, 1, spec.width) / math.sqrt(spec.width)
    shape = (spec.dim, PROBES)
    signs = torch.randint(0, 2, shape, generator=generator).to(torch.float64).mul_(2).sub_(1) / math.sqrt(PROBES)
    directions = signs if spec.dim > PROBES else torch.eye(spec.dim, dtype=torch.float64)

    def network(scale: float) -> nn.Sequential:
        hidden = hidden_layers(spec, draws, rows, scale)
        return nn.Sequential(*hidden, linear(output.clone(), torch.zeros(1, dtype=torch.float64)))

    facts = {**asdict(spec), "batch": 0, "rows": cache.digest_of(rows.numpy()), "version": SCALING_VERSION}
    scale = cache.number("scales", facts, lambda: _input_scale(network, rows[:ROWS], directions))
    layers = network(scale)
    slope = _slope(layers, rows)
    with torch.no_grad():
        last = layers[-1]
        assert isinstance(last, nn.Linear)
        last.weight.div_(slope)
        last.bias.sub_(layers(rows).mean())
    return LayeredEnergy(layers)


def _input_scale(network: Callable[[float], nn.Sequential], rows: Tensor, directions: Tensor) -> float:
    """The input scale at which Δf and ‖∇f‖ have the same root mean square on the rows."""
    log_scale, best = 0.0, (math.inf, 0.0)
    for attempt in range(ITERATIONS):
        layers = network(math.exp(log_scale))
        with torch.no_grad():
            curvature = _rms(forward_laplacian.push(layers, rows, directions).laplacian)
        slope = _slope(layers, rows)
        log_ratio = math.log(curvature / slope)
        best = min(best, (abs(log_ratio), log_scale))
        if abs(log_ratio) < TOLERANCE:
            break
        step = -log_ratio * (1.0 if attempt < 3 else 0.5)
        log_scale = min(max(log_scale + step, math.log(INPUT_SCALES[0])), math.log(INPUT_SCALES[1]))
    return math.exp(best[1])


def _slope(layers: nn.Sequential, rows: Tensor) -> float:
    x = rows.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(layers(x).sum(), x)
    return max(float(gradient.square().sum(-1).mean().sqrt()), 1e-30)


def _rms(t: Tensor) -> float:
    return max(float(t.square().mean().sqrt()), 1e-30)

"""`glow_fc_pixels`: the dense flow with its preprocessing inside, so that scores are matched on raw pixels.

`glow_fc` on ``digits`` matches after preprocessing, in logits; this one, on ``digits_pixels``, before: the same density
of images, by the change of variables, with another score, another objective and other gradients.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bench.data.digits import NATIVE
from bench.data.preprocessing import SQUEEZE
from bench.point import ProblemSpec
from bench.problems.flows import NEEDS, QUANTITIES, DenseFlow, build_glow_fc, standard_normal
from bench.problems.registry import register


class PixelFlow(nn.Module):
    """log p(x) = log p_flow(z) + Σ_i log|∂z_i/∂x_i|, z = (logit(q(x)) − μ)/s with q(x) = c + (1 − 2c)x, c = 0.01.

    Defined where 0 < q < 1, a hundredth beyond the unit cube; outside it is NaN, as the logit is: objectives that
    move points by more than that, such as denoising at σ = 0.1, cannot be had before preprocessing.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, flow: DenseFlow, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.flow = flow
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def preprocess(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z, (B, D), and log|det ∂z/∂x| up to what is constant in x, (B,)."""
        q = SQUEEZE + (1.0 - 2.0 * SQUEEZE) * x
        up, down = q.log(), (1.0 - q).log()
        return (up - down - self.mean) / self.scale, -(up + down).sum(-1)

    def transform(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y, (B, D), and the part of log|det ∂y/∂x| that depends on x, (B,)."""
        z, inside = self.preprocess(x)
        y, log_det = self.flow.transform(z)
        return y, inside + log_det

    def log_density(self, x: Tensor, constant_log_dets: bool = True) -> Tensor:
        """(B, D) to (B,); without ``constant_log_dets`` up to a constant in x, which spares O(D³)."""
        y, log_det = self.transform(x)
        log_density = standard_normal(y) + log_det
        if constant_log_dets:
            constants = [torch.linalg.slogdet(layer.weight).logabsdet for layer in self.flow.linears]
            squeeze = x.shape[-1] * math.log(1.0 - 2.0 * SQUEEZE) - self.scale.log().sum()
            log_density = log_density + sum(constants) + squeeze
        return log_density


@register(
    "glow_fc_pixels",
    quantities=QUANTITIES,
    needs=NEEDS,
    reads=("depth",),
    normalised=True,
    dims=tuple(NATIVE),
    data=("digits_pixels",),
)
def build_glow_fc_pixels(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """`glow_fc` built on the rows' standardised logits; the mean and the scale are fixed, no parameters."""
    model = PixelFlow(DenseFlow([]), torch.zeros_like(rows[0]), torch.ones_like(rows[0]))
    logits = model.preprocess(rows)[0]
    scale = logits.std(0, correction=0)
    mean, scale = logits.mean(0), torch.where(scale > 0, scale, 1.0)
    flow = build_glow_fc(spec, (logits - mean) / scale, generator)
    assert isinstance(flow, DenseFlow)
    return PixelFlow(flow, mean, scale)

"""A flow with its preprocessing inside, so that scores are matched on raw pixels: `glow_fc` on ``digits_pixels``.

`glow_fc` on ``digits`` matches after preprocessing, in standardised logits; on ``digits_pixels``, before: the same
images and the same density of them, by the change of variables, with another score, another objective and other
gradients. So the axis ``data`` turns preprocessing on and off.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.data import preprocessing as pre
from bench.data import source as data_source
from bench.data.preprocessing import SQUEEZE

PIXELS = "digits_pixels"


class PixelFlow(nn.Module):
    """log p(x) = log p_flow(z) + Σ_i log|∂z_i/∂x_i|, z = (logit(q(x)) − μ)/s with q(x) = c + (1 − 2c)x, c = 0.01.

    With J_i = ∂z_i/∂x_i, its score is J ⊙ s_flow(z) + ∇ log|det J|, and the trace of that one's Jacobian
    Σ_i J_i² ∂s_i/∂z_i + J_i′ s_i + ∂² log J_i/∂x_i².

    Defined where 0 < q < 1, a hundredth beyond the unit cube; outside it is NaN, as the logit is: objectives that
    move points by more than that, such as denoising at σ = 0.1, cannot be had before preprocessing.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, flow: Any, mean: Tensor, scale: Tensor) -> None:
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
        z, inside = self.preprocess(x)
        log_density = self.flow.log_density(z, constant_log_dets) + inside
        if constant_log_dets:
            log_density = log_density + x.shape[-1] * math.log(1.0 - 2.0 * SQUEEZE) - self.scale.log().sum()
        return log_density


def standardised_logits(dim: int) -> PixelFlow:
    """The preprocessing of ``digits``, fitted to all images, without a flow yet."""
    logits = pre.logit(np.asarray(data_source.table(PIXELS, dim)))
    spread = logits.std(0)
    return PixelFlow(nn.Identity(), torch.from_numpy(logits.mean(0)), torch.from_numpy(np.where(spread > 0, spread, 1)))

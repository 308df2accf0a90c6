"""`far_mode_plus` and `far_mode_minus`: (1 − η)·N(0, I) + η·N(±R e₁, I), η = 10⁻³ and R = 10³, in closed form.

On data ``far_mode_plus`` the one is the truth and the other is far from it in mean square, E‖s₊ − s₋‖² = ηR², while at
all but a fraction η of the points their scores are equal: few samples cannot tell them apart. On data ``gaussian``,
which has no far mode, both are the second hard example: a mode of a weight below one over the number of samples, that
no likelihood of those can reject.

Source: Gupta, Parulekar, Price, Xun (2024), Improved Sample Complexity Bounds for Diffusion Model Training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.data.far_mode import DISTANCE, WEIGHT
from bench.point import ProblemSpec
from bench.problems.gaussian_mixture import GaussianMixture
from bench.problems.registry import register


def far_mode(dim: int, sign: float, weight: float = WEIGHT, distance: float = DISTANCE) -> GaussianMixture:
    """The mixture itself, float64: logits, means and log-precisions are its parameters."""
    means = torch.zeros(2, dim, dtype=torch.float64)
    means[1, 0] = sign * distance
    logits = torch.tensor([1.0 - weight, weight], dtype=torch.float64).log()
    return GaussianMixture(logits, means, torch.zeros(2, dim, dtype=torch.float64))


def _registered(name: str, sign: float) -> None:
    @register(
        name,
        quantities=("directional", "laplacian", "score_matching", "log_likelihood"),
        needs=("function", "score", "flow"),
        normalised=True,
    )
    def build(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
        """The mixture at its true parameters."""
        return far_mode(spec.dim, sign)


_registered("far_mode_plus", 1.0)
_registered("far_mode_minus", -1.0)

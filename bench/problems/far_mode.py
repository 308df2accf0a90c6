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
from bench.problems.weights import normal


class FarMode(GaussianMixture):
    """A mixture whose means are parameters about a fixed place each, so that a step's size is not that of R."""

    place: Tensor

    def __init__(self, logits: Tensor, place: Tensor) -> None:
        nn.Module.__init__(self)
        self.logits = nn.Parameter(logits)
        self.deviations = nn.Parameter(torch.zeros_like(place))
        self.log_precisions = nn.Parameter(torch.zeros_like(place))
        self.register_buffer("place", place)

    @property
    def means(self) -> Tensor:  # type: ignore[override]
        """(2, D)."""
        return self.place + self.deviations


def far_mode(dim: int, sign: float, weight: float = WEIGHT, distance: float = DISTANCE) -> FarMode:
    """The mixture itself, float64."""
    place = torch.zeros(2, dim, dtype=torch.float64)
    place[1, 0] = sign * distance
    return FarMode(torch.tensor([1.0 - weight, weight], dtype=torch.float64).log(), place)


def _registered(name: str, sign: float) -> None:
    @register(
        name,
        quantities=("directional", "laplacian", "score_matching", "log_likelihood"),
        needs=("function", "score", "flow"),
        normalised=True,
    )
    def build(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
        """The mixture off the truth, so that it can learn: means moved by about 0.1, log-precisions by 0.2."""
        model = far_mode(spec.dim, sign)
        with torch.no_grad():
            model.deviations.add_(0.1 * normal(generator, 2, spec.dim))
            model.log_precisions.add_(0.2 * normal(generator, 2, spec.dim))
        return model


_registered("far_mode_plus", 1.0)
_registered("far_mode_minus", -1.0)

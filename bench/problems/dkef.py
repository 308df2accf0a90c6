"""Deep kernel exponential families, their natural parameters solved in closed form inside every evaluation.

`dkef` solves them on the exact objective, `dkef_sliced` on the sliced one, `dkef_fd` on the same by finite differences,
inside as well as outside: published finite-difference code still differentiated inside.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from bench.exact.activations import ACTIVATIONS
from bench.exact.forward_laplacian import push
from bench.point import ProblemSpec
from bench.problems.natural_parameters import Derivatives, by_differences, natural_parameters
from bench.problems.registry import register
from bench.problems.scaled_layers import Draws, hidden_layers
from bench.problems.weights import normal

POINTS, KERNELS, FEATURES = 32, 2, 16
BASE_SPREAD = 2.0


class DeepKernelEnergy(nn.Module):
    """A base density tilted by kernels on deep features, up to a constant.

    log p(x) = −‖x‖²/(2·2²) + Σ_m α_m k(x, z_m), k(x, z) = Σ_r w_r exp(−½‖φ_r(x) − φ_r(z)‖²/ℓ_r²), w = softmax, and α
    minimises a score-matching objective on rows of its own; the gradient flows through α.

    Source: Wenliang, Sutherland, Strathmann, Gretton (2019), Learning deep kernels for exponential family densities.

    Attributes:
        inside: how α's objective is differentiated: ``exact`` in all coordinates, ``sliced`` along one fixed direction
            a row, or ``differences`` along the same.
    """

    rows: Tensor
    directions: Tensor

    def __init__(
        self, features: list[nn.Module], points: Tensor, log_lengths: Tensor, rows: Tensor, directions: Tensor
    ) -> None:
        super().__init__()
        self.features = nn.ModuleList(features)
        self.points, self.log_lengths = nn.Parameter(points), nn.Parameter(log_lengths)
        self.weights = nn.Parameter(torch.zeros(len(features), dtype=torch.float64))
        self.register_buffer("rows", rows)
        self.register_buffer("directions", directions)
        self.inside = "exact"

    @property
    def exact_model(self) -> DeepKernelEnergy:
        """The same with differences inside replaced by derivatives: what references are taken from."""
        twin = copy.copy(self)  # shares parameters and buffers
        twin.inside = "sliced" if self.inside == "differences" else self.inside
        return twin

    def kernel(self, x: Tensor) -> Tensor:
        """The kernel between rows and inducing points, (B, D) to (B, M)."""
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        for weight, feature, log_length in zip(
            torch.softmax(self.weights, 0), self.features, self.log_lengths, strict=True
        ):
            difference = (feature(x).unsqueeze(-2) - feature(self.points)) * torch.exp(-log_length)
            total = total + weight * torch.exp(-0.5 * difference.square().sum(-1))
        return total

    def base(self, x: Tensor) -> Tensor:
        """The logarithm of the base density up to a constant, (B,)."""
        return -0.5 * x.square().sum(-1) / BASE_SPREAD**2

    def alpha(self) -> Tensor:
        """The natural parameters on the model's own rows, (M,)."""
        if self.inside == "differences":
            return natural_parameters(by_differences(self.kernel, self.base, self.rows, self.directions))
        exact = self.inside == "exact"
        identity = torch.eye(self.rows.shape[1], dtype=self.rows.dtype, device=self.rows.device)
        return natural_parameters(self._derivatives(identity if exact else self.directions.unsqueeze(-1)))

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        return self.base(x) + self.kernel(x) @ self.alpha()

    def _derivatives(self, directions: Tensor) -> Derivatives:
        """Along the columns of (D, R), or of (N, D, R), by the features' own derivatives.

        With δ = (φ(x) − φ(z))/ℓ, and J_r and Σ_r φ_rr those of φ/ℓ at x: D_r k = −k δ·J_r, and Σ_r D²_r k =
        k [Σ_r (δ·J_r)² − Σ_r ‖J_r‖² − δ·Σ_r φ_rr].
        """
        first = second = torch.zeros((), dtype=self.rows.dtype, device=self.rows.device)
        for weight, feature, log_length in zip(
            torch.softmax(self.weights, 0), self.features, self.log_lengths, strict=True
        ):
            assert isinstance(feature, nn.Sequential)
            pushed, scale = push(feature, self.rows, directions), torch.exp(-log_length)
            difference = (pushed.h.unsqueeze(-2) - feature(self.points)) * scale  # (N, M, F)
            k = weight * torch.exp(-0.5 * difference.square().sum(-1))
            along = torch.einsum("nmf,nfr->nmr", difference, pushed.columns * scale)
            curved = difference @ (pushed.laplacian * scale).unsqueeze(-1)
            lengths = (pushed.columns * scale).square().sum((-2, -1)).unsqueeze(-1)
            first = first - k.unsqueeze(-1) * along
            second = second + k * (along.square().sum(-1) - lengths - curved.squeeze(-1))
        base = -(self.rows.unsqueeze(-2) @ directions).squeeze(-2) / BASE_SPREAD**2
        return Derivatives(first, base, second)


def _family(spec: ProblemSpec, rows: Tensor, generator: torch.Generator, inside: str) -> nn.Module:
    """Two kernels on 16 features each, of networks with ``depth`` hidden layers of ``width`` units; 32 inducing points.

    Lengths are the features' median distances; α is solved on the second half of the rows, which batches of up to half
    as many do not contain.
    """
    points = rows[torch.arange(POINTS) % len(rows)] + 0.1 * normal(generator, POINTS, spec.dim)
    features: list[nn.Module] = []
    lengths = []
    for _ in range(KERNELS):
        hidden = hidden_layers(spec, Draws(spec, generator), rows, 1.0)
        last = nn.utils.skip_init(nn.Linear, spec.width, FEATURES, bias=False, dtype=torch.float64)
        last.weight.data.copy_(normal(generator, FEATURES, spec.width) / spec.width**0.5)  # a bias would cancel
        network = nn.Sequential(*hidden, last)
        with torch.no_grad():
            lengths.append(torch.cdist(network(rows), network(points)).median().clamp_min(1e-6))
        features.append(network)
    own = rows[len(rows) // 2 :].clone()
    directions = normal(generator, *own.shape).sign()
    model = DeepKernelEnergy(features, points, torch.stack(lengths).log(), own, directions)
    model.inside = inside
    return model


READS = ("depth", "width", "activation")
SMOOTH = tuple(name for name, activation in ACTIVATIONS.items() if activation.smooth)  # α is solved at given points


@register("dkef", reads=READS, activations=SMOOTH)
def build_dkef(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """Natural parameters from the exact objective."""
    return _family(spec, rows, generator, "exact")


@register("dkef_sliced", quantities=("score_matching",), reads=READS, activations=SMOOTH)
def build_dkef_sliced(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """Natural parameters from the sliced objective, one fixed Rademacher direction a row."""
    return _family(spec, rows, generator, "sliced")


@register("dkef_fd", quantities=("score_matching",), reads=READS, activations=SMOOTH)
def build_dkef_fd(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """The same by finite differences, held against `dkef_sliced`: rows show what they do to the gradient."""
    return _family(spec, rows, generator, "differences")

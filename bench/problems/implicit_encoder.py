"""`encoder` and `encoder_*`: an implicit encoder whose entropy gradient uses a learned score.

Linear and Gaussian, so that score and entropy are known exactly.

z = W x + L ε with x ~ N(0, I_D) and ε ~ N(0, I_K) has the density N(0, S), S = WWᵀ + LLᵀ, with the score −S⁻¹z and the
entropy H = ½ log det(2πe S); ∇_W H = S⁻¹W and ∇_L H = S⁻¹L. An encoder that only gives samples has no density: its
entropy's gradient is had from the score of its codes, ∇_φ H = −E[(∂z/∂φ)ᵀ s(z)], and that score is learned.

As a problem, its rows are x and ε, D = 5K numbers, and its parameters those of the encoder. Each family has learned the
score by another objective, before measuring, at stage `trained`; at `init` the score network has learned nothing. `mle`
gives −z·s(z), s held fixed: in the parameters it has the gradient of −log q(z) at fixed q, and by Stein's identity its
mean is K where s is the true score. Rows are held against the exact score on the same x and ε.

Source: Song, Garg, Shi, Ermon (2019), Sliced Score Matching, section on implicit encoders; the identity is that of Li,
Turner (2018), Gradient Estimators for Implicit Models.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import estimators
from bench.data.source import Source
from bench.data.source import register as register_source
from bench.point import ProblemSpec
from bench.problems.registry import register
from bench.problems.weights import normal, orthogonal

INPUTS_PER_CODE = 4
SEED = 2019
WIDTH, STEPS, ROWS = 64, 500, 256


class LinearEncoder(nn.Module):
    """z = W x + L ε, (B, D) and (B, K) to (B, K)."""

    def __init__(self, weight: Tensor, noise: Tensor) -> None:
        super().__init__()
        self.weight, self.noise = nn.Parameter(weight), nn.Parameter(noise)

    def forward(self, x: Tensor, epsilon: Tensor) -> Tensor:
        """The codes."""
        return x @ self.weight.T + epsilon @ self.noise.T

    def draw(self, batch: int, generator: torch.Generator) -> Tensor:
        """Codes of ``batch`` fresh inputs, (batch, K)."""
        numbers = normal(generator, batch, self.weight.shape[1] + len(self.noise)).to(self.weight)
        return self(numbers[:, : self.weight.shape[1]], numbers[:, self.weight.shape[1] :])

    @property
    def covariance(self) -> Tensor:
        """S, (K, K)."""
        return self.weight @ self.weight.T + self.noise @ self.noise.T

    def score(self, z: Tensor) -> Tensor:
        """The exact score of the codes, −S⁻¹z."""
        return -torch.linalg.solve(self.covariance, z.T).T

    def entropy(self) -> Tensor:
        """½ log det(2πe S), in nats; its θ-gradient is the closed form."""
        return 0.5 * (torch.logdet(self.covariance) + len(self.noise) * math.log(2 * math.pi * math.e))


def encoder(codes: int) -> LinearEncoder:
    """One of K codes from 4K inputs, float64, from a fixed seed: variances of codes between about ½ and 2."""
    generator = torch.Generator().manual_seed(SEED + codes)
    inputs = INPUTS_PER_CODE * codes
    weight = torch.linspace(0.5, 1.3, codes, dtype=torch.float64).unsqueeze(-1) * orthogonal(codes, inputs, generator)
    return LinearEncoder(weight, 0.4 * torch.eye(codes) + 0.2 / math.sqrt(codes) * normal(generator, codes, codes))


def entropy_surrogate(z: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    """−z·s(z) row by row with s(z) held fixed, (B,): ∇φ of its mean estimates ∇φ H.

    Only the gradient means anything. Differentiating through s as well would add −E[(∂s/∂φ)ᵀz], which for a linear
    score is as much again.
    """
    return -(z * score(z.detach()).detach()).sum(-1)


class Field(nn.Module):
    """A score network of one hidden layer beside a linear map."""

    def __init__(self, codes: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.linear = nn.Linear(codes, codes)
            self.network = nn.Sequential(nn.Linear(codes, WIDTH), nn.Softplus(), nn.Linear(WIDTH, codes))

    def score(self, z: Tensor) -> Tensor:
        """(B, K) to (B, K)."""
        return self.linear(z) + self.network(z)


def learn_score(
    field: nn.Module, encode: LinearEncoder, name: str, options: dict[str, Any], seed: int, steps: int, rows: int
) -> list[float]:
    """So many steps of Adam on an objective of the registry, in float32, each on fresh codes; the values before each.

    Args:
        field: has ``score``; changed in place.
        encode: where the codes come from.
        name: a score-matching estimator.
        options: its options.
        seed: of the codes and the probes.
        steps: how many.
        rows: codes a step.
    """
    generator, values = torch.Generator().manual_seed(seed), []
    optimiser = torch.optim.Adam(field.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        with torch.no_grad():
            z = encode.draw(rows, generator).float()
        optimiser.zero_grad()
        loss = estimators.get(name)(field, z, generator=generator, **options).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        values.append(float(loss.detach()))
        optimiser.step()
        schedule.step()
    return values


class ImplicitEncoder(nn.Module):
    """An encoder, and the score of its codes as a network has learned it; as it is, without one.

    Attributes:
        closed_form_orders: the formula is that of a likelihood.
    """

    closed_form_orders: ClassVar = {"log_likelihood": "any"}

    def __init__(self, encode: LinearEncoder, field: Field | None, objective: str, options: dict[str, Any]) -> None:
        super().__init__()
        self.encode, self.objective, self.options = encode, objective, options
        self.field = field
        if field is not None:
            field.double().requires_grad_(False)

    @property
    def exact_model(self) -> ImplicitEncoder:
        """The same with the true score: what references are taken from."""
        twin = copy.copy(self)  # shares the encoder
        twin._modules = {**self._modules, "field": None}
        return twin

    @property
    def learned_parameters(self) -> tuple[nn.Parameter, ...]:
        """What training changes: the score network, not the encoder."""
        return () if self.field is None else tuple(self.field.parameters())

    def codes(self, x: Tensor) -> Tensor:
        """(B, 5K) rows of inputs and noise to (B, K)."""
        inputs = self.encode.weight.shape[1]
        return self.encode(x[:, :inputs], x[:, inputs:])

    def log_density(self, x: Tensor, constant_log_dets: bool = True) -> Tensor:
        """z·s(z), (B,), s held fixed; there is nothing constant to leave out."""
        return -entropy_surrogate(self.codes(x), self.encode.score if self.field is None else self.field.score)

    def closed_form(self, quantity: str, order: int, x: Tensor, v: Tensor) -> Tensor:
        """zᵀPz, (B,), with the gradient of ½zᵀPz, P = S⁻¹ held fixed: that of −log q(z)."""
        z = self.codes(x)
        half = 0.5 * ((z @ torch.linalg.inv(self.encode.covariance).detach()) * z).sum(-1)
        return half + half.detach()

    def learn(self, rows: Tensor) -> list[float]:
        """Learn the score of the codes; the encoder stays as it is."""
        if self.field is None:
            return []
        self.field.float().requires_grad_(True)
        try:
            return learn_score(self.field, self.encode, self.objective, self.options, SEED, STEPS, ROWS)
        finally:
            self.field.double().requires_grad_(False)


def _registered(name: str, objective: str, **options: Any) -> None:
    @register(
        name,
        quantities=("log_likelihood",),
        needs=("flow",),
        dims=range(INPUTS_PER_CODE + 1, 1001, INPUTS_PER_CODE + 1),
        data=("gaussian",),
    )
    def build(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
        """The encoder of K = D/5 codes; the score network, if it has one, from the problem's seed."""
        codes = spec.dim // (INPUTS_PER_CODE + 1)
        field = Field(codes, generator.initial_seed()) if objective else None
        return ImplicitEncoder(encoder(codes), field, objective, options)


_registered("encoder", "")
_registered("encoder_sm_exact", "sm_exact")
_registered("encoder_ssm_vr", "ssm_vr")
_registered("encoder_fd_ssm_vr", "fd_ssm_vr")
_registered("encoder_dsm_low", "dsm", sigma=0.1)
_registered("encoder_dsm_high", "dsm", sigma=0.5)


def _draw(dim: int, batch: int, generator: torch.Generator) -> Tensor:
    with torch.no_grad():
        return encoder(dim).draw(batch, generator)


register_source(Source("encoder_codes", draw=_draw))

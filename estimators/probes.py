"""Random directions for trace estimators: every law satisfies E[v vᵀ] = I, so vᵀHv is unbiased for tr H."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LAWS = ("rademacher", "gaussian", "sphere", "orthonormal", "coordinate")


def draw(law: str, probes: int, x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw M probes for every row of x.

    Laws: ``rademacher`` ±1 entries; ``gaussian`` N(0, I); ``sphere`` uniform on radius √D; ``orthonormal`` M ≤ D
    Haar-distributed orthonormal directions per row, scaled by √D; ``coordinate`` √D·e_i with i uniform without
    replacement (a fresh permutation after every D probes).

    They are drawn in float64 on the generator's device and then cast and moved to those of x, so that one seed gives
    the same probes in every dtype and on every device.

    Args:
        law: one of ``LAWS``.
        probes: M, how many.
        x: the points, (B, D); only shape, dtype and device are read.
        generator: the source of randomness; advanced by the draw.

    Returns:
        (M, B, D) in the dtype and on the device of x.

    Raises:
        ValueError: unknown law, M < 1, or M > D for ``orthonormal``.
    """
    if law not in LAWS:
        raise ValueError(f"law has to be one of {', '.join(LAWS)}; got {law!r}")
    if probes < 1:
        raise ValueError(f"probes has to be a whole number >= 1; got {probes}")
    shape = (probes, *x.shape)
    return _DRAWS[law](shape, generator).to(device=x.device, dtype=x.dtype)


def _gaussian(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device)


def _rademacher(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    bits = torch.randint(0, 2, shape, generator=generator, device=generator.device)
    return bits.to(torch.float64).mul_(2).sub_(1)


def _sphere(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    v = _gaussian(shape, generator)
    return v * (math.sqrt(shape[-1]) / torch.linalg.vector_norm(v, dim=-1, keepdim=True))


def _orthonormal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    probes, batch, dim = shape
    if probes > dim:
        raise ValueError(f"probes has to be at most D = {dim} for law 'orthonormal'; got {probes}")
    q, r = torch.linalg.qr(_gaussian((batch, dim, probes), generator))
    q = q * torch.sign(torch.diagonal(r, dim1=-2, dim2=-1)).unsqueeze(-2)  # makes Q Haar-distributed
    return q.permute(2, 0, 1) * math.sqrt(dim)


def _coordinate(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    probes, batch, dim = shape
    rounds = -(-probes // dim)
    keys = torch.rand((rounds, batch, dim), generator=generator, dtype=torch.float64, device=generator.device)
    indices = keys.argsort(dim=-1).permute(0, 2, 1).reshape(rounds * dim, batch)[:probes]
    v = torch.zeros(shape, dtype=torch.float64, device=generator.device)
    return v.scatter_(-1, indices.unsqueeze(-1), math.sqrt(dim))


_DRAWS = {
    "rademacher": _rademacher,
    "gaussian": _gaussian,
    "sphere": _sphere,
    "orthonormal": _orthonormal,
    "coordinate": _coordinate,
}

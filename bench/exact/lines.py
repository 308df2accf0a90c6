"""Derivatives of piecewise linear functions (ReLU networks) under Gaussian noise on x, exactly along random lines.

Along a line a ReLU network is linear between kinks, which can be found: those of the first ReLU, between them those of
the next. What Stein's identity moved from f to the noise z is then a finite sum over the pieces, each with its constant
score s. For a derivative along v, the line is that of v, z = t v + rest, and

    E[∂ᵀ f(x + σz)[v…v]] = E Σ_pieces (s·v) ∫ He_{T−1} dΦ / σ^{T−1};

for the Laplacian and ‖s‖² it is the ray to a random side, z = rω, and its opposite, r having the law of χ_D:

    E[Δf(x + σz)] = E Σ_pieces (s·ω) ∫ r dχ_D(r) / σ,    E‖s(x + σz)‖² = E Σ_pieces ‖s‖² ∫ dχ_D(r).

Each is smooth in θ where the kinks' places are differentiated too, and a kink's place is the root of its unit's
pre-activation. Nothing is widened or extrapolated: a draw is unbiased at any depth, and in one dimension has no noise.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

REACH = 8.0  # standard deviations: beyond lies a probability of 1e-15
STRAIGHT = 1e-8  # a piece may bend by so much, relative to what the function changes along its line
MEMORY_BYTES = 2**28


class _Enough(Exception):
    """The pre-activations that were asked for are there."""


def draw(model: Any, quantity: str, order: int, x: Tensor, v: Tensor, noise: float, z: Tensor) -> Tensor:
    """One draw of the values, (B,), whose mean over z is the quantity at x + σz, and differentiable in θ rightly.

    Args:
        model: an energy whose kinks are all in ``nn.ReLU`` modules, and which is linear between them.
        quantity: directional, laplacian (order 2) or score_matching.
        order: T.
        x: (B, D) float64.
        v: (B, D), unit vectors, for a directional derivative.
        noise: σ.
        z: (B, D), standard normal; what it has along the line does not count.

    Raises:
        NotImplementedError: another quantity or order, or a model that is not piecewise linear.
    """
    if quantity == "directional" and order >= 1:
        start, step = x + noise * (z - (z * v).sum(-1, keepdim=True) * v), noise * v
        ends = _kinks(model, start, step, -REACH, REACH)
        slope = (_score(model, start, step, ends) * v[:, None]).sum(-1)
        return (slope * _normal(ends, order - 1)).sum(-1) / noise ** (order - 1)
    if quantity not in ("laplacian", "score_matching") or order != 2:
        raise NotImplementedError(f"no {quantity} of order {order} of a function with kinks")
    side, dim = torch.nn.functional.normalize(z, dim=-1), x.shape[1]
    start, side = torch.cat([x, x]), torch.cat([side, -side])
    ends = _kinks(model, start, noise * side, max(0.0, math.sqrt(dim) - REACH), math.sqrt(dim) + REACH)
    score = _score(model, start, noise * side, ends)  # (2B, n, D), constant between the kinks
    value = ((score * side[:, None]).sum(-1) * _chi(ends, dim, 1)).sum(-1) / noise
    if quantity == "score_matching":
        value = value + 0.5 * (score.square().sum(-1) * _chi(ends, dim, 0)).sum(-1)
    return value.view(2, -1).mean(0)


def rows_at_once(model: nn.Module, x: Tensor) -> int:
    """How many rows' lines fit into memory: each may cross every unit once, and has all of them at every kink."""
    units = sum(u.shape[1] for u in _inputs(model, x[:1]))
    return max(1, MEMORY_BYTES // (8 * 8 * (units + x.shape[1]) ** 2))


def _kinks(model: nn.Module, start: Tensor, step: Tensor, first: float, last: float) -> Tensor:
    """For each line start + t·step the sorted t of its kinks between ``first`` and ``last``, (B, n), differentiable.

    These two are at its ends; ``last`` is repeated where a line has fewer kinks than another.
    """
    t = torch.tensor([first, last], dtype=start.dtype).expand(len(start), 2)
    unit, slope = torch.full(t.shape, -1), torch.ones_like(t)  # whose kink it is, and its pre-activation's slope
    before = 0
    with torch.no_grad():
        calls = len(_inputs(model, start[:1]))
        for call in range(calls):
            inputs = _inputs(model, _points(start, step, t), call)[call].unflatten(0, t.shape)
            low, high = inputs[:, :-1], inputs[:, 1:]
            crossed = (low > 0) != (high > 0)
            width = (t[:, 1:] - t[:, :-1])[..., None].expand_as(low)
            part = torch.where(crossed, low / torch.where(crossed, low - high, 1.0), 1.0)
            places = torch.where(crossed, t[:, :-1, None] + part * width, last)
            slopes = torch.where(crossed, (high - low) / width.clamp_min(1e-300), 1.0)
            numbers = torch.where(crossed, before + torch.arange(low.shape[-1]), -1)
            t, sorting = torch.cat([t, places.flatten(1)], 1).sort(dim=1, stable=True)
            unit = torch.cat([unit, numbers.flatten(1)], 1).gather(1, sorting)
            slope = torch.cat([slope, slopes.flatten(1)], 1).gather(1, sorting)
            most = int((t < last).sum(1).max()) + 1
            t, unit, slope = t[:, :most], unit[:, :most], slope[:, :most]
            before += low.shape[-1]
    if not before:
        return t
    inputs = torch.cat(_inputs(model, _points(start, step, t)), 1).unflatten(0, t.shape)
    own = inputs.gather(2, unit.clamp_min(0)[..., None])[..., 0]
    return t - torch.where(unit >= 0, (own - own.detach()) / slope, 0.0)  # ∂t/∂θ of a root: −(∂a/∂θ)/(∂a/∂t)


def _score(model: Any, start: Tensor, step: Tensor, ends: Tensor) -> Tensor:
    """∇f between the kinks, (B, n − 1, D), differentiable in the parameters.

    Raises:
        NotImplementedError: f is not linear there.
    """
    ends = ends.detach()
    points = _points(start, step, (ends[:, :-1] + ends[:, 1:]) / 2).requires_grad_(True)
    values = model.log_density(points)
    (score,) = torch.autograd.grad(values.sum(), points, create_graph=True)
    with torch.no_grad():
        at_ends = model.log_density(_points(start, step, ends)).view(ends.shape)
        bend = values.view(len(ends), -1) - (at_ends[:, :-1] + at_ends[:, 1:]) / 2
        if float(bend.abs().max()) > STRAIGHT * max(1e-300, float(at_ends.abs().max())):
            raise NotImplementedError(f"{type(model).__name__} is not linear between the kinks of its nn.ReLU modules")
    return score.view(*ends.shape[:1], -1, start.shape[1])


def _points(start: Tensor, step: Tensor, t: Tensor) -> Tensor:
    """(B·n, D)."""
    return (start[:, None] + t[..., None] * step[:, None]).flatten(0, 1)


def _inputs(model: Any, x: Tensor, last: int | None = None) -> list[Tensor]:
    """What reaches the model's ReLUs, call by call, each (rows, units); up to call number ``last``."""
    found: list[Tensor] = []

    def hook(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        found.append(arguments[0].reshape(len(x), -1))
        if last is not None and len(found) > last:
            raise _Enough

    hooks = [module.register_forward_pre_hook(hook) for module in model.modules() if isinstance(module, nn.ReLU)]
    try:
        model.log_density(x)
    except _Enough:
        pass
    finally:
        for handle in hooks:
            handle.remove()
    return found


def _normal(ends: Tensor, n: int) -> Tensor:
    """∫ He_n dΦ between neighbours, which is He_{n−1}(a) p(a) − He_{n−1}(b) p(b)."""
    if n == 0:
        return torch.special.ndtr(ends).diff(dim=1)
    return -(hermite(n - 1, ends) * torch.exp(-0.5 * ends.square()) / math.sqrt(2 * math.pi)).diff(dim=1)


def _chi(ends: Tensor, dim: int, n: int) -> Tensor:
    """∫ rⁿ dχ_D between neighbours, √2ⁿ Γ((D + n)/2)/Γ(D/2) times the law of χ_{D+n}."""
    half = torch.tensor((dim + n) / 2, dtype=ends.dtype)
    factor = math.exp(0.5 * n * math.log(2) + math.lgamma((dim + n) / 2) - math.lgamma(dim / 2))
    return factor * torch.special.gammainc(half, 0.5 * ends.square()).diff(dim=1)


def hermite(n: int, r: Tensor) -> Tensor:
    """He_n(r) by He_{n+1} = r He_n − n He_{n−1}."""
    before, value = torch.zeros_like(r), torch.ones_like(r)
    for k in range(n):
        before, value = value, r * value - k * before
    return value

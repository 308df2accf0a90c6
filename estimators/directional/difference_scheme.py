"""Coefficients of central finite differences of any order, in exact rational arithmetic."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class Scheme:
    """A central difference: the T-th derivative of g at 0 from g at symmetric nodes.

    g^(T)(0) ≈ h^−T Σ_k w_k [g(a_k h) ± g(−a_k h) − 2 g(0)], with + and the centre for even T, − and no centre for odd
    T.

    Attributes:
        order: T.
        nodes: a_k > 0.
        weights: w_k.
        accuracy: q, the power of h with which the error vanishes.
    """

    order: int
    nodes: tuple[Fraction, ...]
    weights: tuple[Fraction, ...]
    accuracy: int

    @property
    def even(self) -> bool:
        """Whether T is even, so that the centre is evaluated too."""
        return self.order % 2 == 0

    @property
    def truncation(self) -> Fraction:
        """C in the leading error C h^q g^(T+q)(0)."""
        return self.moment(self.order + self.accuracy)

    def moment(self, power: int) -> Fraction:
        """What the scheme makes of t^power / power!, for a power of T's parity."""
        terms = (w * 2 * a**power for a, w in zip(self.nodes, self.weights, strict=True))
        return sum(terms, Fraction(0)) / math.factorial(power)

    def default_step(self, dtype: torch.dtype) -> float:
        """The h that minimises |C| h^q + R u h^−T, for values and (T+q)-th derivatives of like size.

        R u is the rounding error of the weighted sum, with u the unit roundoff of the dtype.
        """
        noise = torch.finfo(dtype).eps / 2 * float(sum(abs(w) for w in self.weights)) * (4 if self.even else 2)
        ratio = self.order * noise / (self.accuracy * abs(float(self.truncation)))
        return ratio ** (1 / (self.order + self.accuracy))

    def differentiate(self, f: Callable[[Tensor], Tensor], x: Tensor, v: Tensor, step: float | None) -> Tensor:
        """D^T f(x)[v, …, v] with displacements of length a_k · step, in one batch of evaluations; (B,).

        Args:
            f: the function, (B, D) to (B,).
            x: the points, (B, D).
            v: the directions, (B, D), of any length; a row of zeros gives zero.
            step: h for the unit direction v/‖v‖; None for `default_step`.
        """
        step = self.default_step(x.dtype) if step is None else step
        length = torch.linalg.vector_norm(v, dim=-1, keepdim=True)
        unit = v / torch.where(length > 0, length, torch.ones_like(length))
        nodes = x.new_tensor([float(a) for a in self.nodes]).view(-1, 1, 1)
        displacement = nodes * step * unit  # (K, B, D)
        points = [x + displacement, x - displacement, *([x.unsqueeze(0)] if self.even else [])]
        values = f(torch.cat(points).flatten(0, 1)).view(-1, x.shape[0])
        count = len(self.nodes)
        plus, minus = values[:count], values[count : 2 * count]
        differences = (plus - values[-1]) + (minus - values[-1]) if self.even else plus - minus
        return x.new_tensor([float(w) for w in self.weights]) @ differences * (length.squeeze(-1) / step) ** self.order


@lru_cache(maxsize=256)
def vandermonde(order: int, extra: int = 0) -> Scheme:
    """The scheme with K = ⌈T/2⌉ + extra nodes 1 … K, whose error is O(h^(2 + 2·extra)).

    The weights solve Σ_k w_k 2 k^p / p! = [p = T] for the K lowest powers p of T's parity that occur in the Taylor
    series of the differences; this is a Vandermonde system, solved in rational numbers, without rounding.
    """
    nodes = range(1, -(-order // 2) + extra + 1)
    first = 2 if order % 2 == 0 else 1
    powers = [first + 2 * j for j in range(len(nodes))]
    rows = [[Fraction(2 * k**p, math.factorial(p)) for k in nodes] + [Fraction(int(p == order))] for p in powers]
    return Scheme(order, tuple(map(Fraction, nodes)), tuple(_solve(rows)), powers[-1] + 2 - order)


@lru_cache(maxsize=256)
def extrapolated(order: int, levels: int) -> Scheme:
    """Richardson's extrapolation of the ⌈T/2⌉-node scheme at h, h/2, …, h/2^(levels−1), as one scheme.

    R_{j,0} is the scheme at h/2^j, and R_{j,k} = (4^k R_{j,k−1} − R_{j−1,k−1}) / (4^k − 1).
    """
    base = vandermonde(order)
    table = [
        {a / 2**j: w * 2 ** (j * order) for a, w in zip(base.nodes, base.weights, strict=True)} for j in range(levels)
    ]
    for k in range(1, levels):
        table = [_combine(fine, coarse, Fraction(4**k)) for coarse, fine in itertools.pairwise(table)]
    nodes = tuple(sorted(a for a, w in table[0].items() if w))
    return Scheme(order, nodes, tuple(table[0][a] for a in nodes), 2 * levels)


def _combine(fine: dict[Fraction, Fraction], coarse: dict[Fraction, Fraction], factor: Fraction) -> dict:
    zero = Fraction(0)
    return {a: (factor * fine.get(a, zero) - coarse.get(a, zero)) / (factor - 1) for a in {*fine, *coarse}}


def _solve(rows: list[list[Fraction]]) -> list[Fraction]:
    """Gauss–Jordan elimination of an augmented system; a Vandermonde matrix of distinct nodes is never singular."""
    rows = [list(row) for row in rows]
    for i in range(len(rows)):
        pivot = next(r for r in range(i, len(rows)) if rows[r][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [entry / rows[i][i] for entry in rows[i]]
        for r in range(len(rows)):
            if r != i:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[-1] for row in rows]

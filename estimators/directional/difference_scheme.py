"""Coefficients of central finite differences of any order, in exact rational arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache


@dataclass(frozen=True)
class Scheme:
    """g^(T)(0) ≈ h^−T Σ_k w_k [g(k h) ± g(−k h) − 2 g(0)], with + and the centre for even T, − and no centre for odd T.

    Attributes:
        order: T.
        weights: w_k for the nodes k = 1 … K.
        accuracy: q, the power of h with which the error vanishes.
        truncation: C in the leading error C h^q g^(T+q)(0).
    """

    order: int
    weights: tuple[Fraction, ...]
    accuracy: int
    truncation: Fraction

    @property
    def even(self) -> bool:
        """Whether T is even, so that the centre is evaluated too."""
        return self.order % 2 == 0

    def default_step(self, rounding: float) -> float:
        """The h that minimises |C| h^q + R h^−T, where R is the rounding error of the weighted sum.

        Args:
            rounding: the unit roundoff of the dtype, for function values and derivatives of like size.
        """
        noise = rounding * float(sum(abs(w) for w in self.weights)) * (4 if self.even else 2)
        return (self.order * noise / (self.accuracy * abs(float(self.truncation)))) ** (
            1 / (self.order + self.accuracy)
        )


@lru_cache(maxsize=256)
def scheme(order: int, extra: int = 0) -> Scheme:
    """The scheme with K = ⌈T/2⌉ + extra nodes k = 1 … K, whose error is O(h^(2 + 2·extra)).

    The weights solve Σ_k w_k 2 k^p / p! = [p = T] for the K lowest powers p of T's parity that occur in the Taylor
    series of the differences; this is a Vandermonde system, solved in rational numbers, without rounding.

    Raises:
        ValueError: order < 1 or extra < 0.
    """
    if order < 1 or extra < 0:
        raise ValueError(f"order has to be >= 1 and extra >= 0; got {order} and {extra}")
    nodes = range(1, -(-order // 2) + extra + 1)
    first = 2 if order % 2 == 0 else 1
    powers = [first + 2 * j for j in range(len(nodes))]
    rows = [[Fraction(2 * k**p, math.factorial(p)) for k in nodes] + [Fraction(int(p == order))] for p in powers]
    weights = tuple(_solve(rows))
    missed = powers[-1] + 2
    truncation = sum(w * Fraction(2 * k**missed, math.factorial(missed)) for k, w in zip(nodes, weights, strict=True))
    return Scheme(order, weights, missed - order, Fraction(truncation))


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

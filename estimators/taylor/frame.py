"""A frame: what all truncated series of one pass share, their order, their directions and how the top is collapsed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Coefficients = list  # of (rows, *shape) tensors or None, one an order; None is a structural zero


class Frame:
    """Order K and R directions of one Taylor pass; series of different passes never mix, so frames compare by identity.

    A series x(t_r) = Σ_k c_k t_r^k runs along R directions at once. c_0 is shared by all of them and has one row;
    c_1 … c_{K−1} have R rows; c_K has R rows, or, when the frame is *collapsed*, the one row Σ_r w_r c_K^(r). That is
    exact: the top coefficient enters every operation linearly, so its sum can be pushed in the place of its parts.

    Attributes:
        order: K ≥ 1.
        directions: R ≥ 1.
        collapsed: whether the top coefficient is carried as its sum over directions. With one direction and no
            weights the two are the same thing, and the frame counts as collapsed.
        weights: w, shape (R,), or None for ones.
        level: nesting depth; the innermost pass has the highest.
    """

    __slots__ = ("collapsed", "directions", "level", "order", "weights")

    def __init__(
        self, order: int, directions: int = 1, collapsed: bool = False, weights: Tensor | None = None, level: int = 0
    ) -> None:
        if weights is not None and not collapsed:
            raise ValueError("weights of directions are for a collapsed frame; got collapsed=False")
        if order == 1 and collapsed:
            raise ValueError("a frame of order 1 cannot be collapsed: push the sum of the directions instead")
        self.order, self.directions, self.level = order, directions, level
        self.collapsed = collapsed or (directions == 1 and order > 1)
        self.weights = weights

    def count(self, k: int) -> int:
        """How many rows the coefficient of order k has."""
        return 1 if k == 0 or (k == self.order and self.collapsed) else self.directions

    def sum_directions(self, term: Tensor) -> Tensor:
        """Σ_r w_r term_r, keeping a row axis of one."""
        if self.weights is not None:
            term = term * self.weights.view(-1, *(1,) * (term.dim() - 1))
        return term.sum(0, keepdim=True) if term.shape[0] > 1 else term

    def sum_products(self, a: Tensor, b: Tensor) -> Tensor:
        """Σ_r w_r a_r b_r, keeping a row axis of one."""
        return self.sum_directions(a * b)

    def mixed(self, k: int, term: Tensor) -> Tensor:
        """A product of directional coefficients that belongs to order k: summed where order k is collapsed."""
        return self.sum_directions(term) if self.collapsed and k == self.order and self.directions > 1 else term

    def convolve(self, a: Sequence, b: Sequence, k: int, start: int = 0, stop: int | None = None) -> Tensor | None:
        """The coefficient Σ_{i=start}^{stop} a_i b_{k−i} of the product a·b (by default i = 0 … k)."""
        stop = k if stop is None else stop
        total, mixed = None, None
        for i in range(start, stop + 1):
            left, right = a[i], b[k - i]
            if left is None or right is None:
                continue
            if 0 < i < k:
                mixed = left * right if mixed is None else _accumulate(mixed, left, right)
            else:
                total = left * right if total is None else _accumulate(total, left, right)
        return self._add_mixed(total, mixed, k)

    def square(self, a: Sequence, k: int, start: int = 0) -> Tensor | None:
        """Σ_{i=start}^{k−start} a_i a_{k−i}, with each pair computed once."""
        total, mixed = None, None
        for i in range(start, (k + 1) // 2):
            if a[i] is None or a[k - i] is None:
                continue
            if i > 0:
                mixed = a[i] * a[k - i] if mixed is None else _accumulate(mixed, a[i], a[k - i])
            else:
                total = a[i] * a[k - i] * 2
        if mixed is not None:
            mixed = mixed * 2 if torch.is_grad_enabled() or type(mixed) is not Tensor else mixed.mul_(2)
        if k % 2 == 0 and k // 2 >= start and a[k // 2] is not None:
            middle = a[k // 2]
            if k == 0:
                return middle * middle
            mixed = middle * middle if mixed is None else _accumulate(mixed, middle, middle)
        return self._add_mixed(total, mixed, k)

    def _add_mixed(self, total: Tensor | None, mixed: Tensor | None, k: int) -> Tensor | None:
        if mixed is None:
            return total
        mixed = self.mixed(k, mixed)
        return mixed if total is None else total + mixed

    def integrate(self, rate: Sequence, slope: Sequence, k: int) -> Tensor | None:
        """z_k of z' = slope(t)·u'(t), from rate_j = j·u_j: z_k = (1/k) Σ_{j=1}^{k} rate_j slope_{k−j}."""
        total = self.convolve(rate, slope, k, start=1)
        return None if total is None else total / k if k > 1 else total


def rates(u: Sequence) -> Coefficients:
    """j·u_j, the coefficients of t·u'(t)."""
    return [None, *(c if j == 1 or c is None else c * j for j, c in enumerate(u[1:], start=1))]


def _accumulate(total: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Total + a·b, into `total` itself where no graph needs the old value."""
    if type(total) is not Tensor or torch.is_grad_enabled() or total.shape != torch.broadcast_shapes(a.shape, b.shape):
        return total + a * b
    return total.addcmul_(a, b)


def add(*terms: Tensor | None) -> Tensor | None:
    """The sum of those terms that are not structural zeros."""
    present = [t for t in terms if t is not None]
    if not present:
        return None
    total = present[0]
    for term in present[1:]:
        total = total + term
    return total


def negate(term: Tensor | None) -> Tensor | None:
    """−term; a structural zero stays one."""
    return None if term is None else -term

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

    def orders(self, last: bool) -> range:
        """1 … K, or 1 … K − 1 unless `last`."""
        return range(1, self.order + last)

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
        return self.sum_directions(term) if self.sums(k) else term

    def sums(self, k: int) -> bool:
        """Whether products of directional coefficients are summed over directions at order k."""
        return k == self.order and self.collapsed and (self.directions > 1 or self.weights is not None)

    def convolve(self, a: Sequence, b: Sequence, k: int, start: int = 0, stop: int | None = None) -> Tensor | None:
        """The coefficient Σ_{i=start}^{stop} a_i b_{k−i} of the product a·b (by default i = 0 … k)."""
        total = mixed = None
        for i in range(start, (k if stop is None else stop) + 1):
            if a[i] is None or b[k - i] is None:
                continue
            if i in (0, k):
                total = accumulate(total, a[i], b[k - i])
            else:
                mixed = accumulate(mixed, a[i], b[k - i])
        return self._join(total, mixed, k)

    def square(self, a: Sequence, k: int, scale: float = 1, ends: bool = True) -> Tensor | None:
        """Scale · Σ_i a_i a_{k−i}, with each pair computed once; without the pair (0, k) unless `ends`."""
        total = mixed = None
        if ends and a[k] is not None:
            total = a[0] * (a[k] * (scale * (2 if k else 1)))
        for i in range(1, (k + 1) // 2):
            if a[i] is not None and a[k - i] is not None:
                mixed = accumulate(mixed, a[i], a[k - i], 2 * scale)
        if k and k % 2 == 0 and a[k // 2] is not None:
            mixed = accumulate(mixed, a[k // 2], a[k // 2], scale)
        return self._join(total, mixed, k)

    def integrate(self, u: Sequence, slope: Sequence, k: int) -> Tensor | None:
        """z_k of z' = slope(t)·u'(t): z_k = u_k slope_0 + Σ_{0<j<k} (j/k) u_j slope_{k−j}."""
        total = None if u[k] is None else u[k] * slope[0]
        if not self.sums(k):
            for j in range(1, k):
                if u[j] is not None and slope[k - j] is not None:
                    total = accumulate(total, u[j], slope[k - j], j / k)
            return total
        mixed = None
        for j in range(1, k):
            if u[j] is not None and slope[k - j] is not None:
                mixed = accumulate(mixed, u[j], slope[k - j], j / k)
        return self._join(total, mixed, k)

    def _join(self, total: Tensor | None, mixed: Tensor | None, k: int) -> Tensor | None:
        if mixed is None:
            return total
        mixed = self.mixed(k, mixed)
        return mixed if total is None else total + mixed


def accumulate(total: Tensor | None, a: Tensor, b: Tensor, scale: float = 1) -> Tensor:
    """Total + scale·a·b, into `total` itself where no graph needs the old value."""
    inplace = not torch.is_grad_enabled() and isinstance(a, Tensor) and isinstance(b, Tensor)
    if total is None:
        product = a * b
        return product if scale == 1 else product.mul_(scale) if inplace else product * scale
    if inplace and isinstance(total, Tensor):
        return total.addcmul_(a, b, value=scale)
    return torch.addcmul(total, a, b, value=scale)


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

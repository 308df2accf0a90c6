"""Directional derivatives of any order by central finite differences, evaluated in one batch."""

from __future__ import annotations

from torch import Tensor

from estimators.cost import Cost
from estimators.directional.difference_scheme import vandermonde
from estimators.registry import register


@register(
    "finite_difference",
    quantity="directional",
    orders="any",
    bias="vanishing",
    step="eps",
    bias_order=2,
    cost=Cost("T + 1 + 2 extra", memory="(T + 1 + 2 extra) (D + W)", step_memory="(T + 1 + 2 extra) (D + L W)"),
    tags=("finite-difference", "function-values"),
    source="Pang, Xu, Li, Song, Ermon, Zhu (2020), Efficient Learning of Generative Models via Finite-Difference Score "
    "Matching, Theorem 1",
)
def finite_difference(f, x: Tensor, v: Tensor, *, order: int, eps: float | None = None, extra: int = 0) -> Tensor:
    """Combine function values at x ± k·h·v, k = 0 … K, so that all derivatives but the T-th cancel.

    D^T f(x)[v, …, v] ≈ h^−T Σ_{k=1}^{K} w_k [f(x + k h v) + (−1)^T f(x − k h v) − (1 + (−1)^T) f(x)], with K = ⌈T/2⌉ +
    extra and h = eps / ‖v‖.

    Bias O(eps²) with extra = 0, O(eps⁴) with extra = 1, and O(eps^(2 + 2 extra)) in general. The weights solve a
    Vandermonde system in rational arithmetic. Rounding grows as unit roundoff / eps^T.

    Cost: 2K + 1 evaluations for even T, 2K for odd T (T + 1 at extra = 0), in one batch; the θ-gradient is one ordinary
    reverse pass through them. Time and memory O(T), with no factor D and no nested differentiation.

    Args:
        f: the function, (B, D) to (B,).
        x: the points, (B, D), float32 or float64.
        v: the directions, (B, D), of any length; a row of zeros has derivative zero.
        order: T ≥ 1.
        eps: the length of the first displacement, ‖h v‖, whatever the length of v. The default None takes the minimum
            of truncation C eps^q plus rounding R u / eps^T of the scheme, for a function whose values and whose
            (T+q)-th derivatives along v/‖v‖ are of like size: it depends on dtype and order only (float32: 0.006,
            0.04, 0.06, 0.16 at T = 1 to 4; float64: 7e-6, 3e-4, 1e-3, 6e-3).
        extra: further nodes, each raising the order of the error by two.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: T < 1, eps ≤ 0, extra < 0, or v is not of x's shape, dtype and device.

    Source: Pang, Xu, Li, Song, Ermon, Zhu (2020), Efficient Learning of Generative Models via Finite-Difference Score
    Matching, NeurIPS, Lemma 1 and Theorem 1.
    """
    if not isinstance(extra, int) or extra < 0:
        raise ValueError(f"option extra has to be a whole number >= 0; got {extra!r}")
    return vandermonde(order, extra).differentiate(f, x, v, eps)

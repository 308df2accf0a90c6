"""Directional derivatives by Richardson extrapolation of central differences."""

from __future__ import annotations

from torch import Tensor

from estimators.cost import Cost
from estimators.directional.difference_scheme import extrapolated
from estimators.registry import register


@register(
    "richardson",
    quantity="directional",
    orders="any",
    bias="vanishing",
    step="eps",
    bias_order=4,
    cost=Cost(
        "T + 1 + 2 (levels - 1) ceil(T/4)", memory="levels (T + 1) (D + W)", step_memory="levels (T + 1) (D + L W)"
    ),
    tags=("finite-difference", "function-values"),
    source="Richardson (1911), The approximate arithmetical solution by finite differences of physical problems",
)
def richardson(f, x: Tensor, v: Tensor, *, order: int, eps: float | None = None, levels: int = 2) -> Tensor:
    """Extrapolate central differences at h, h/2, … to step zero.

    R_{j,0} = the ⌈T/2⌉-node central difference at eps/2^j, R_{j,k} = (4^k R_{j,k−1} − R_{j−1,k−1})/(4^k − 1), and
    D^T f(x)[v, …, v] ≈ R_{L−1,L−1}.

    Bias O(eps⁴) with two levels, O(eps^(2L)) with L. Rounding is that of the smallest step, unit roundoff /
    (eps/2^(L−1))^T, amplified.

    Cost: at most L·T evaluations and the centre, in one batch (nodes that two levels share are evaluated once); the
    θ-gradient is one ordinary reverse pass through them. Time and memory O(L T), with no factor D.

    Args:
        f: the function, (B, D) to (B,).
        x: the points, (B, D), float32 or float64.
        v: the directions, (B, D), of any length.
        order: T ≥ 1.
        eps: the length of the coarsest first displacement, whatever the length of v. The default None minimises
            truncation plus rounding of the whole extrapolated scheme, for a function whose values and whose
            (T+2L)-th derivatives along v/‖v‖ are of like size: it depends on dtype, order and levels only.
        levels: L ≥ 1, how many steps; 1 is the plain central difference.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: T < 1, eps ≤ 0, levels < 1, or v is not of x's shape, dtype and device.

    Source: Richardson (1911), The approximate arithmetical solution by finite differences of physical problems,
    Philosophical Transactions A 210.
    """
    if not isinstance(levels, int) or levels < 1:
        raise ValueError(f"option levels has to be a whole number >= 1; got {levels!r}")
    return extrapolated(order, levels).differentiate(f, x, v, eps)

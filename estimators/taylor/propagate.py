"""Starting a Taylor pass: a point and its directions go in, the series of f comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from estimators.taylor.frame import Frame
from estimators.taylor.series import Series


def along(
    f: Callable[[Any], Any],
    x: Tensor,
    directions: Tensor,
    order: int,
    *,
    collapsed: bool = False,
    weights: Tensor | None = None,
) -> Series:
    """The Taylor series of t ↦ f(x + t v_r), truncated at `order`, for R directions at once.

    Coefficient k is D^k f(x)[v_r, …, v_r] / k!, for every direction, or, at the top of a collapsed pass, its sum
    Σ_r w_r over directions. Coefficients that stay structurally zero cost nothing.

    Args:
        f: a function of (B, D) made of operations that have a Taylor rule.
        x: the points, (B, D), or a `Series` of an outer pass.
        directions: v, (R, B, D), or (R, 1, D) where all points share them.
        order: K ≥ 1.
        collapsed: carry the top coefficient as its sum over directions.
        weights: w, (R,), for a collapsed pass.

    Returns:
        The series of f.

    Raises:
        NotImplementedError: an operation in f has no Taylor rule; the message names it.
    """
    level = x.frame.level + 1 if isinstance(x, Series) else 0
    frame = Frame(order, directions.shape[0], collapsed, weights, level)
    present = (True, True, *(False,) * (order - 1))
    rows = torch.cat([x.unsqueeze(0), directions.expand(-1, *x.shape)])
    return as_series(f(Series(rows, frame, present)), frame)


def as_series(result: Any, frame: Frame) -> Series:
    """The result of a pass; a constant where f does not depend on its input."""
    if isinstance(result, Series) and result.frame is frame:
        return result
    return Series(result.unsqueeze(0), frame, (True, *(False,) * frame.order))

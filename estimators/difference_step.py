"""The length of a random displacement: given, or chosen from dtype and dimension."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def difference_step(eps: float | None, per_sqrt_dim: bool, *, power: float, factor: float, x: Tensor) -> float:
    """ε as given, or times √D if it was given per coordinate; by default factor · √D · u^power.

    u is the machine epsilon of x. A displacement of length ε moves each of D coordinates by ε/√D, so the ε at which
    truncation balances rounding grows as √D; the power is 1/(q + k) for an error of order q and a k-th difference.
    """
    root = math.sqrt(x.shape[1])
    if eps is None:
        return factor * root * torch.finfo(x.dtype).eps ** power
    return eps * root if per_sqrt_dim else eps
